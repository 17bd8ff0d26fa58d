"""Geometric message-passing transformer over the residues of a batch of chains.

Every feature is invariant to proper rotations and to translations and every output is a
vector in a local frame, so the network is SE(3)-equivariant by construction. Local
frames are right-handed: it is not equivariant to reflections.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from equicryo.models.frames import local_frames
from equicryo.models.geometry import (
    PAIR_FEATURES,
    RESIDUE_FEATURES,
    describe_pairs,
    describe_residues,
)
from equicryo.structure.residues import UNKNOWN_TYPE

ABSENT_TYPE = UNKNOWN_TYPE + 1
"""Residue type of places beyond the end of a chain."""

TYPE_WIDTH = 32
TYPE_REACH = 5
"""Residues on either side whose types a residue sees at once."""

PAIR_WIDTH = 16
LARGEST_SEPARATION = 32
NOISE_FREQUENCIES = 16
POSITION_FEATURES = 4


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Size of the transformer.

    Attributes:
        width: features per residue.
        rounds: how often the residues move, and the geometry is described anew.
        layers: blocks of attention and feed-forward in a round.
        heads: attention heads.
    """

    width: int
    rounds: int
    layers: int
    heads: int

    def __post_init__(self) -> None:
        """Refuse a width that the heads cannot share."""
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} is no multiple of heads {self.heads}: change one"
            )


class Modulation(nn.Module):
    """Scale, shift and gate of a layer's features, as the noise level asks.

    Source: Peebles & Xie 2023 (DiT), arXiv:2212.09748, section 3.2.
    """

    def __init__(self, width: int) -> None:
        """Create the map."""
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(width, 3 * width)

    def forward(
        self,
        features: Float[Tensor, "batch residue width"],
        noise: Float[Tensor, "batch width"],
    ) -> tuple[Tensor, Tensor]:
        """Return the normalised, modulated features and the gate of what they yield."""
        scale, shift, gate = self.modulate(noise)[:, None].chunk(3, -1)
        return self.norm(features) * (1.0 + scale) + shift, 1.0 + gate


class GeometricAttention(nn.Module):
    """Attention whose weights and messages see distances and orientations."""

    def __init__(self, config: NetworkConfig) -> None:
        """Create the maps of one layer."""
        super().__init__()
        self.heads = config.heads
        self.project = nn.Linear(config.width, 3 * config.width)
        self.pair_bias = nn.Linear(PAIR_WIDTH, config.heads)
        self.merge = nn.Linear(config.width + config.heads * PAIR_WIDTH, config.width)

    def forward(
        self,
        features: Float[Tensor, "batch residue width"],
        pairs: Float[Tensor, "batch residue residue pair"],
        absent: Float[Tensor, "batch 1 residue 1"],
    ) -> Float[Tensor, "batch residue width"]:
        """Gather messages: values, and the pair features that were attended to.

        Args:
            features: of each residue.
            pairs: of each pair.
            absent: added to the logits; very negative where no residue is.
        """
        batch, residues, width = features.shape
        query, key, value = (
            part.view(batch, residues, self.heads, -1).transpose(1, 2)
            for part in self.project(features).chunk(3, -1)
        )
        bias = self.pair_bias(pairs).permute(0, 3, 1, 2)
        scaled = query * (width // self.heads) ** -0.5
        # One more component of the keys bars absent residues: cheaper than a mask.
        scaled = nn.functional.pad(scaled, (0, 1), value=1.0)
        key = torch.cat((key, absent.to(key).expand(-1, self.heads, -1, -1)), -1)
        weight = (scaled @ key.transpose(-1, -2) + bias).softmax(-1)
        values = (weight @ value).transpose(1, 2).reshape(batch, residues, width)
        seen = weight.transpose(1, 2) @ pairs.to(weight)
        return self.merge(torch.cat((values, seen.flatten(2)), -1))


class Block(nn.Module):
    """One layer: attention and feed-forward."""

    def __init__(self, config: NetworkConfig) -> None:
        """Create the maps of one layer."""
        super().__init__()
        width = config.width
        self.attention_modulation = Modulation(width)
        self.attention = GeometricAttention(config)
        self.forward_modulation = Modulation(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, width)
        )

    def forward(
        self,
        features: Float[Tensor, "batch residue width"],
        noise: Float[Tensor, "batch width"],
        pairs: Float[Tensor, "batch residue residue pair"],
        absent: Float[Tensor, "batch 1 residue 1"],
    ) -> Float[Tensor, "batch residue width"]:
        """Return the new features."""
        normed, gate = self.attention_modulation(features, noise)
        features = features + gate * self.attention(normed, pairs, absent)
        normed, gate = self.forward_modulation(features, noise)
        return features + gate * self.feed_forward(normed)


class Round(nn.Module):
    """Describe the geometry, pass messages, and move every residue."""

    def __init__(self, config: NetworkConfig) -> None:
        """Create the maps of one round."""
        super().__init__()
        self.geometry = nn.Linear(RESIDUE_FEATURES + POSITION_FEATURES, config.width)
        self.pair_geometry = nn.Linear(PAIR_FEATURES, PAIR_WIDTH)
        self.pair_mix = nn.Sequential(nn.SiLU(), nn.Linear(PAIR_WIDTH, PAIR_WIDTH))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.move = nn.Sequential(
            nn.LayerNorm(config.width), nn.Linear(config.width, 3)
        )

    def forward(
        self,
        features: Float[Tensor, "batch residue width"],
        noise: Float[Tensor, "batch width"],
        described: Float[Tensor, "batch residue feature"],
        pairs: Float[Tensor, "batch residue residue seen"],
        separation: Float[Tensor, "residue residue pair"],
        absent: Float[Tensor, "batch 1 residue 1"],
    ) -> tuple[Float[Tensor, "batch residue width"], Float[Tensor, "batch residue 3"]]:
        """Return the new features, and the moves in local frames in units of c_out."""
        features = features + self.geometry(described)
        seen = self.pair_geometry(pairs)
        seen = self.pair_mix(seen + separation.to(seen))
        for block in self.blocks:
            features = block(features, noise, seen, absent)
        return features, self.move(features)


class GeometricTransformer(nn.Module):
    """Refine a first estimate of chains, given the noisy chains they came from."""

    def __init__(self, config: NetworkConfig) -> None:
        """Create the network; `initialise` or a file gives it its weights."""
        super().__init__()
        self.config = config
        width = config.width
        self.type_embedding = nn.Embedding(ABSENT_TYPE + 1, TYPE_WIDTH)
        self.types = nn.Linear((2 * TYPE_REACH + 1) * TYPE_WIDTH, width)
        self.noise = nn.Sequential(
            nn.Linear(2 * NOISE_FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.separation = nn.Embedding(2 * LARGEST_SEPARATION + 1, PAIR_WIDTH)
        self.rounds = nn.ModuleList(Round(config) for _ in range(config.rounds))

    def forward(
        self,
        estimate: Float[Tensor, "batch residue 3"],
        noisy: Float[Tensor, "batch residue 3"],
        noise_level: Float[Tensor, " batch"],
        step: Float[Tensor, " batch"],
        residue_types: Int[Tensor, "batch residue"],
    ) -> list[Float[Tensor, "batch residue 3"]]:
        """Move the residues of centred estimates, round by round.

        Args:
            estimate: first estimate of the clean chains, Å, centroids at the origin.
            noisy: the noisy chains, Å, centroids at the origin.
            noise_level: σ, Å.
            step: c_out, the size of a typical move, Å.
            residue_types: index of each residue's type; `ABSENT_TYPE` beyond the end.

        Returns:
            The estimate after each round, Å, the last being the best; whatever lies
            beyond the end of a chain sits on its last residue.
        """
        dtype = self.types.weight.dtype
        present = residue_types != ABSENT_TYPE
        place = _places(present)
        ends = place[..., None].expand(-1, -1, 3)
        noisy = noisy.gather(1, ends)
        noise = self.noise(_waves(noise_level.log().to(dtype) / 8.0))
        features = self._embed_types(residue_types) + noise[:, None]
        noise = nn.functional.silu(noise)
        separation = self.separation(_separations(present.shape[1], place.device))
        absent = torch.where(present, 0.0, -1e4)[:, None, :, None].to(dtype)
        position = _positions(place).to(dtype)
        coordinates = estimate.gather(1, ends)
        estimates = []
        for refine in self.rounds:
            frames = local_frames(coordinates)
            described = describe_residues(
                coordinates, frames, noisy, noise_level.to(noisy), place
            )
            features, move = refine(
                features,
                noise,
                torch.cat((described.to(dtype), position), -1),
                describe_pairs(coordinates, frames, dtype),
                separation,
                absent,
            )
            move = (frames * move.to(frames)[..., None, :]).sum(-1)
            coordinates = coordinates + step.to(frames)[:, None, None] * move
            coordinates = coordinates.gather(1, ends)
            estimates.append(coordinates)
        return estimates

    def _embed_types(self, residue_types: Tensor) -> Tensor:
        """Embed the types of a window of residues about each."""
        padding = (TYPE_REACH, TYPE_REACH)
        types = nn.functional.pad(residue_types, padding, value=ABSENT_TYPE)
        windows = types.unfold(1, 2 * TYPE_REACH + 1, 1)
        return self.types(self.type_embedding(windows).flatten(2))


def initialise(network: GeometricTransformer, generator: torch.Generator) -> None:
    """Draw the starting weights of a network, which then returns its first estimate.

    Linear maps start uniform within ±1/√inputs, embeddings normal, and the maps that
    modulate, that bias attention or that move residues at zero.

    Args:
        network: changed in place.
        generator: source of the randomness.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, generator=generator)
        if isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            nn.init.zeros_(module.bias)
            if name.endswith(("modulate", "pair_bias", "move.1")):
                nn.init.zeros_(module.weight)


def split_weights(
    network: GeometricTransformer,
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the matrices that map features to features, and all other weights."""
    inner = [
        module.weight
        for block in network.modules()
        if isinstance(block, Block)
        for name, module in block.named_modules()
        if isinstance(module, nn.Linear)
        and not name.endswith(("modulate", "pair_bias"))
    ]
    known = {id(weight) for weight in inner}
    others = [weight for weight in network.parameters() if id(weight) not in known]
    return inner, others


def _places(present: Bool[Tensor, "batch residue"]) -> Int[Tensor, "batch residue"]:
    """Return each residue's index along its chain, the last one's repeated beyond."""
    index = torch.arange(present.shape[1], device=present.device)
    return torch.minimum(index[None], present.sum(1, keepdim=True) - 1)


def _separations(residues: int, device: torch.device) -> Int[Tensor, "residue residue"]:
    """Return how far along the chain each pair is, cut off, counted from zero."""
    index = torch.arange(residues, device=device)
    separation = index[None] - index[:, None]
    return (
        separation.clamp(-LARGEST_SEPARATION, LARGEST_SEPARATION) + LARGEST_SEPARATION
    )


def _positions(place: Int[Tensor, "batch residue"]) -> Float[Tensor, "batch residue 4"]:
    """Describe how far from either end a residue lies, and how long its chain is."""
    last = place[:, -1:]
    lengths = last.expand(-1, place.shape[1]) + 1
    scaled = (place / 50.0, (last - place) / 50.0, place / last, lengths / 256.0)
    return torch.stack(scaled, -1)


def _waves(value: Tensor) -> Tensor:
    """Encode scalars by sines and cosines of 16 half-octave-spaced phases."""
    octaves = torch.arange(NOISE_FREQUENCIES, dtype=value.dtype, device=value.device)
    phase = torch.pi * value[..., None] * 2.0 ** (octaves / 2.0)
    return torch.cat((phase.sin(), phase.cos()), -1)
