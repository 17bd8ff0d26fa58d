"""Which numbers a machine multiplies fast."""

import torch


def bfloat16_is_fast() -> bool:
    """Tell whether hardware multiplies bfloat16; emulated, it is far slower."""
    processor = torch.cpu.get_capabilities()
    fast = processor.get("avx512_bf16") or processor.get("amx_bf16")
    return torch.cuda.is_available() or bool(fast)
