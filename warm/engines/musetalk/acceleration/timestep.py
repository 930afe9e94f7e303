"""The UNet's time embedding, which is the same in every pass, folded into biases."""

from typing import Any

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

Network = Any


class NoEmbedding(nn.Module):
    """Replaces the time embedding, which has been folded into biases."""

    def forward(self, *_: object) -> None:
        """Return None for any timestep."""


@torch.no_grad()
def fold_timestep(unet: Network) -> int:
    """Add each block's embedding of timestep 0 to the bias of its first convolution.

    Returns the number of blocks; 0 if the network also uses the timestep in another way.
    """
    blocks: list[Network] = [block for block in unet.modules() if isinstance(block, ResnetBlock2D)]
    if not can_fold(unet, blocks):
        return 0
    embedding = timestep_zero_embedding(unet)
    for block in blocks:
        activated = embedding if block.skip_time_act else block.nonlinearity(embedding)
        projection = block.time_emb_proj.float()
        bias = block.conv1.bias
        bias.copy_(bias.float() + projection(activated)[0])
        block.time_emb_proj = None
    unet.time_embedding = NoEmbedding()
    return len(blocks)


def can_fold(unet: Network, blocks: list[Network]) -> bool:
    """Return True if the time embedding is added in these blocks and used nowhere else."""
    config = unet.config
    others = (unet.time_embed_act, config["class_embed_type"], config["addition_embed_type"])
    return all(other is None for other in others) and all(
        block.time_embedding_norm == "default" and block.time_emb_proj is not None
        for block in blocks
    )


def timestep_zero_embedding(unet: Network) -> Tensor:
    """(1, width) fp32 embedding of timestep 0."""
    embed = unet.time_embedding.float()
    zero = torch.zeros(1, dtype=torch.long, device=unet.device)
    return torch.as_tensor(embed(unet.time_proj(zero).float()))
