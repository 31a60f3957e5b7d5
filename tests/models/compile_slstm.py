"""Compile the kernels for GPUs that need not be there, and see that they fit; run by test_slstm_gpu.py.

python tests/models/compile_slstm.py
"""

from typing import Any

import torch
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile

from ride.models.slstm import gpu, triton_kernels

SHARED = 96 * 1024
"""Bytes of shared memory that a program may have on the smaller GPUs."""
POINTERS = {"gates", "recurrent", "h", "c", "above_h", "above_c", "grad", "carry_in", "carry_out"}


def compiled(kernel: Any, mode: gpu.Precision, hidden: int, extended: bool, capability: int) -> Any:
    """The kernel with the tiles that a large diagonal gets."""
    backward = kernel is triton_kernels.backward_diagonal
    tile = gpu.tiles(10**6, hidden, mode, extended, backward, torch.device("cpu"))
    constants = {
        "N": hidden,
        "EXTENDED": extended,
        "KEEP": True,
        "CONTINUED": False,
        "PRECISION": "tf32" if mode == "tf32" else "ieee",
        "BLOCK_M": tile.m,
        "BLOCK_N": tile.n,
        "BLOCK_K": tile.k,
    }
    names = kernel.arg_names
    constants = {name: value for name, value in constants.items() if name in names}
    signature, aligned = {}, {}
    for position, name in enumerate(names):
        if name in constants:
            signature[name] = "constexpr"
        elif name in POINTERS or name == "weight":
            signature[name] = "*bf16" if name == "weight" and mode == "bf16" else "*fp32"
            aligned[(position,)] = [["tt.divisibility", 16]]
        else:
            signature[name] = "fp32" if name == "largest" else "i32"
    source = ASTSource(kernel, signature, {(names.index(name),): value for name, value in constants.items()}, aligned)
    target = GPUTarget("cuda", capability, 32)
    return compile(source, target=target, options={"num_warps": tile.warps, "num_stages": tile.stages})


def main() -> None:
    """Compile every kind of product for Hopper, and what takes most shared memory for the smaller GPUs."""
    forward, backward = triton_kernels.forward_diagonal, triton_kernels.backward_diagonal
    cases: list[tuple[Any, gpu.Precision, bool, int]] = [
        (forward, "float32", False, 90),
        (forward, "bf16", False, 90),
        (backward, "tf32", False, 90),
        (forward, "tf32", True, 86),
    ]
    for kernel, mode, extended, capability in cases:
        binary = compiled(kernel, mode, 64, extended, capability)
        assert binary.metadata.shared <= SHARED, (kernel, mode, binary.metadata.shared)
        on_tensor_cores = any(word in binary.asm["ptx"] for word in ("wgmma", "mma.sync"))
        assert on_tensor_cores == (mode != "float32"), (kernel, mode)


if __name__ == "__main__":
    main()
