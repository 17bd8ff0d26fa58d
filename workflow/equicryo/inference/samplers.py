"""The samplers of the posterior, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from equicryo.inference.diffusion import ScheduleConfig
from equicryo.inference.dps import DpsConfig, sample_dps
from equicryo.inference.mmps import MmpsConfig, sample_mmps
from equicryo.inference.orientation import OrientationConfig
from equicryo.inference.pnp_dm import PnpDmConfig, sample_pnp_dm
from equicryo.inference.sampling import SamplerConfig
from equicryo.inference.tds import TdsConfig, sample_tds


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """One sampler of p(x | images).

    Attributes:
        settings: its settings, one block of the config.
        sample: called as `sample_dps` is.
        population: whether the samples are one population, which depend on each other.
    """

    settings: type[SamplerConfig]
    sample: Callable
    population: bool = False


SAMPLERS = MappingProxyType(
    {
        "dps": Sampler(settings=DpsConfig, sample=sample_dps),
        "mmps": Sampler(settings=MmpsConfig, sample=sample_mmps),
        "pnp_dm": Sampler(settings=PnpDmConfig, sample=sample_pnp_dm),
        "tds": Sampler(settings=TdsConfig, sample=sample_tds, population=True),
    }
)


def read_sampler(name: str, block: Mapping[str, Any]) -> SamplerConfig:
    """Build the settings of a sampler from a validated block of the config.

    Args:
        name: one of `SAMPLERS`.
        block: `samplers.<name>` of the config.
    """
    orientation = block["orientation"]
    blurs = tuple(orientation["blurs"])
    return SAMPLERS[name].settings(
        **{
            **block,
            "blurs": tuple(block["blurs"]),
            "schedule": ScheduleConfig(**block["schedule"]),
            "orientation": OrientationConfig(**{**orientation, "blurs": blurs}),
        }
    )
