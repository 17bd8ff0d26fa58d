"""Geometric message-passing transformer over the residues of one chain.

Every feature is invariant to proper rotations and to translations and every output is a
vector in a local frame, so the network is SE(3)-equivariant by construction. Local
frames are right-handed: it is not equivariant to reflections.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from equicryo.models.frames import local_frames

RESIDUE_TYPES = 21
WINDOW = 8
"""Residues on either side whose positions a residue sees in its own frame."""
DISTANCE_CENTRES = 16
LARGEST_DISTANCE = 40.0
LARGEST_SEPARATION = 32
NOISE_FREQUENCIES = 16


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Size of the transformer.

    Attributes:
        width: features per residue.
        layers: blocks of attention and feed-forward.
        heads: attention heads.
    """

    width: int
    layers: int
    heads: int

    def __post_init__(self) -> None:
        """Refuse a width that the heads cannot share."""
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} is no multiple of heads {self.heads}: change one"
            )


class GeometricAttention(nn.Module):
    """Attention whose weights and messages see distances and local directions."""

    def __init__(self, config: NetworkConfig) -> None:
        """Create the maps of one layer."""
        super().__init__()
        self.heads = config.heads
        self.project = nn.Linear(config.width, 3 * config.width)
        self.pair_bias = nn.Linear(DISTANCE_CENTRES + 6, config.heads)
        self.separation_bias = nn.Embedding(2 * LARGEST_SEPARATION + 1, config.heads)
        message = config.width + config.heads * (DISTANCE_CENTRES + 6)
        self.merge = nn.Linear(message, config.width)

    def forward(
        self,
        features: Float[Tensor, "batch residue width"],
        pairs: Float[Tensor, "batch residue residue feature"],
        separation: Int[Tensor, "residue residue"],
    ) -> Float[Tensor, "batch residue width"]:
        """Gather messages: values, and the pair features that were attended to."""
        batch, residues, width = features.shape
        query, key, value = (
            part.view(batch, residues, self.heads, -1).transpose(1, 2)
            for part in self.project(features).chunk(3, -1)
        )
        bias = self.pair_bias(pairs) + self.separation_bias(separation)
        logits = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5
        weight = (logits + bias.permute(0, 3, 1, 2)).softmax(-1)
        values = (weight @ value).transpose(1, 2).reshape(batch, residues, width)
        seen = weight.transpose(1, 2) @ pairs
        return self.merge(torch.cat((values, seen.flatten(2)), -1))


class Block(nn.Module):
    """One layer: attention, feed-forward and a move of every residue."""

    def __init__(self, config: NetworkConfig) -> None:
        """Create the maps of one layer."""
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = GeometricAttention(config)
        self.forward_norm = nn.LayerNorm(config.width)
        self.feed_forward = nn.Sequential(
            nn.Linear(config.width, 4 * config.width),
            nn.SiLU(),
            nn.Linear(4 * config.width, config.width),
        )
        self.move = nn.Linear(config.width, 3)

    def forward(
        self,
        features: Float[Tensor, "batch residue width"],
        pairs: Float[Tensor, "batch residue residue feature"],
        separation: Int[Tensor, "residue residue"],
    ) -> tuple[Float[Tensor, "batch residue width"], Float[Tensor, "batch residue 3"]]:
        """Return the new features, and the moves in local frames in units of c_out."""
        normed = self.attention_norm(features)
        features = features + self.attention(normed, pairs, separation)
        features = features + self.feed_forward(self.forward_norm(features))
        return features, self.move(features)


class GeometricTransformer(nn.Module):
    """Refine a first estimate of a chain, given the noisy chain it came from."""

    def __init__(self, config: NetworkConfig) -> None:
        """Create the network; `initialise` or a file gives it its weights."""
        super().__init__()
        width = config.width
        self.residue_embedding = nn.Embedding(RESIDUE_TYPES, width)
        self.position = nn.Linear(2 * NOISE_FREQUENCIES, width)
        self.noise = nn.Sequential(
            nn.Linear(2 * NOISE_FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.geometry = nn.Linear(2 * 3 * (2 * WINDOW + 1) + 3, width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))

    def forward(
        self,
        estimate: Float[Tensor, "batch residue 3"],
        noisy: Float[Tensor, "batch residue 3"],
        noise_level: Float[Tensor, " batch"],
        step: Float[Tensor, " batch"],
        residue_types: Int[Tensor, " residue"],
    ) -> Float[Tensor, "batch residue 3"]:
        """Move the residues of a centred estimate, layer by layer.

        Args:
            estimate: first estimate of the clean chain, Å, centroid at the origin.
            noisy: the noisy chain, Å, centroid at the origin.
            noise_level: σ, Å.
            step: c_out, the size of a typical move, Å.
            residue_types: index of each residue's type.

        Returns:
            The refined estimate, Å.
        """
        residues = estimate.shape[1]
        dtype = self.position.weight.dtype
        index = torch.arange(residues, device=estimate.device)
        separation = (index[None] - index[:, None]).clamp(
            -LARGEST_SEPARATION, LARGEST_SEPARATION
        ) + LARGEST_SEPARATION
        position = _waves(index.to(dtype) / residues)
        noise = self.noise(_waves(noise_level.log().to(dtype) / 8.0))
        features = (
            self.residue_embedding(residue_types)
            + self.position(position)
            + noise[:, None]
            + self.geometry(_node_geometry(estimate, noisy, noise_level).to(dtype))
        )
        coordinates = estimate
        for block in self.blocks:
            frames = local_frames(coordinates)
            pairs = _pair_geometry(coordinates, frames, dtype)
            features, move = block(features, pairs, separation)
            move = (frames @ move[..., None].to(frames)).squeeze(-1)
            coordinates = coordinates + step[:, None, None] * move
        return coordinates


def initialise(network: GeometricTransformer, generator: torch.Generator) -> None:
    """Draw the starting weights of a network, which then returns its first estimate.

    Linear maps start uniform within ±1/√inputs, embeddings normal, and the maps that
    bias attention or move residues at zero.

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
        if name.endswith(("bias", "move")):
            nn.init.zeros_(module.weight)


def _waves(value: Tensor) -> Tensor:
    """Encode scalars by sines and cosines of 16 octave-spaced phases."""
    octaves = torch.arange(NOISE_FREQUENCIES, dtype=value.dtype, device=value.device)
    phase = torch.pi * value[..., None] * 2.0 ** (octaves / 2.0)
    return torch.cat((phase.sin(), phase.cos()), -1)


def _node_geometry(estimate: Tensor, noisy: Tensor, noise_level: Tensor) -> Tensor:
    """Describe each residue's surroundings along the chain in its own frame."""
    frames = local_frames(estimate)
    spread = (64.0 + noise_level[:, None, None, None] ** 2).sqrt()
    local = _windows(estimate) - estimate[:, :, None]
    offset = (_windows(noisy) - estimate[:, :, None]) / spread
    radius = estimate.square().sum(-1).mean(-1)[:, None, None].sqrt() + 1.0
    central = (frames.mT @ (estimate / radius)[..., None]).squeeze(-1)
    local, offset = (local / 8.0) @ frames, offset @ frames
    return torch.cat((local.flatten(2), offset.flatten(2), central), -1)


def _windows(chain: Tensor) -> Tensor:
    """Gather each residue's neighbours along the chain, ends repeated."""
    padded = torch.cat(
        (
            chain[:, :1].expand(-1, WINDOW, -1),
            chain,
            chain[:, -1:].expand(-1, WINDOW, -1),
        ),
        1,
    )
    return padded.unfold(1, 2 * WINDOW + 1, 1).mT


def _pair_geometry(coordinates: Tensor, frames: Tensor, dtype: torch.dtype) -> Tensor:
    """Describe every pair: distance on a soft grid, both mutual directions."""
    batch, residues, _ = coordinates.shape
    axes = frames.transpose(-1, -2).reshape(batch, 3 * residues, 3)
    projected = (axes @ coordinates.transpose(1, 2)).view(batch, residues, 3, residues)
    own = projected.diagonal(dim1=1, dim2=3).transpose(1, 2)
    distance = (_squared_distance(coordinates) + 1e-2).sqrt().to(dtype)[..., None]
    seen = (projected - own[..., None]).to(dtype).transpose(2, 3) / distance
    centres = torch.linspace(
        0.0, 1.0, DISTANCE_CENTRES, dtype=dtype, device=distance.device
    )
    scaled = (distance / LARGEST_DISTANCE).sqrt() - centres
    radial = torch.exp(-0.5 * (scaled * DISTANCE_CENTRES) ** 2)
    return torch.cat((radial, seen, seen.transpose(1, 2)), -1)


def _squared_distance(coordinates: Tensor) -> Tensor:
    """Return all squared distances, by one matrix product."""
    square = coordinates.square().sum(-1)
    product = coordinates @ coordinates.transpose(1, 2)
    return (square[:, :, None] + square[:, None] - 2.0 * product).clamp(min=0.0)
