"""A second device without the hardware: tensors that lie on the CPU and deny it.

Inside ``pretend_device()`` torch has a device of type ``lazy`` (a device type that torch knows and
that needs no driver). Its tensors compute with an ordinary CPU tensor inside, below autograd, and
treat tensors of the CPU as those of CUDA do:

- an operation on tensors of both devices raises RuntimeError, unless those of the CPU are single
  numbers (0-dimensional) in a pointwise operation, or a source or target of a copy, or indices;
- `.numpy()`, `np.asarray` and all that call them (matplotlib, pandas) raise TypeError;
- a generator of the CPU draws no random numbers for it.

`.cpu()`, `.to("cpu")`, `.item()`, `.tolist()` and `float` bring the numbers back. Random numbers
are those that the CPU would draw, so a notebook computes the same on both.

What it cannot show: float32 arithmetic that differs in the last digits, operations that CUDA lacks
or forbids (in float64, say, Apple's GPU), memory, and speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

DEVICE = torch.device("lazy", 0)  # as CUDA's, its tensors' device has an index, 0

COPIES = {"copy_", "_to_copy"}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}
FILLING = {"masked_fill", "index_fill", "fill"}  # with a number, though not pointwise by their tags


class PretendTensor(Tensor):
    """A tensor of the pretended device; ``inner`` is the CPU tensor that it computes with."""

    inner: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor) -> PretendTensor:
        layout = {"strides": inner.stride(), "storage_offset": inner.storage_offset()}
        kind = {"dtype": inner.dtype, "device": DEVICE}
        made = Tensor._make_wrapper_subclass(cls, inner.shape, **layout, **kind)
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})

    def numpy(self, *, force: bool = False) -> np.ndarray:
        if force:
            return self.inner.numpy()
        raise TypeError(
            f"can't convert {self.device} device type tensor to numpy. "
            "Use Tensor.cpu() to copy the tensor to host memory first."
        )

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self.numpy()

    def as_subclass(self, cls: type) -> Tensor:
        # For Pyro's ProvenanceTensor, which keeps `self` to compute with.
        return self.inner.as_subclass(cls)

    def tolist(self) -> Any:
        return self.inner.tolist()

    def quantile(self, q: float | Tensor, *args, **kwargs) -> Tensor:
        # torch computes it with `unsqueeze_`, which changes the shape of a tensor in place.
        if isinstance(q, Tensor):
            self.new_zeros(q.shape) + q  # raises if `q` lies on the CPU
            q = q.cpu()
        return self.detach().inner.quantile(q, *args, **kwargs).to(self.device)

    def unsqueeze_(self, dim: int) -> Tensor:
        if self.requires_grad:
            return super().unsqueeze_(dim)  # which says that it cannot
        torch.utils.swap_tensors(self, PretendTensor(self.inner.unsqueeze(dim)))
        return self

    def __getitem__(self, key: Any) -> Tensor:
        return super().__getitem__(_with_tensors(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_with_tensors(key), value)

    def new_tensor(self, data: Any, **options) -> Tensor:
        return torch.tensor(data, **{"dtype": self.dtype, "device": self.device} | options)

    def __repr__(self, *, tensor_contents=None) -> str:
        end = ", requires_grad=True)" if self.requires_grad and self.is_leaf else ")"
        return f"{repr(self.inner).removesuffix(')')}, device='{self.device}'{end}"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else object.__format__(self, spec)


def _with_tensors(key: Any) -> Any:
    """An index whose lists are tensors, which C++ would make on a device that is not there."""
    if isinstance(key, tuple):
        return tuple(map(_with_tensors, key))
    return torch.tensor(list(key), device=DEVICE) if isinstance(key, list | range) else key


def _run(func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Compute ``func`` on the CPU, after a look at where its tensors say that they are."""
    pretended: dict[int, PretendTensor] = {}  # id of the inner tensor -> tensor
    others: list[Tensor] = []
    generators: list[torch.Generator] = []

    def strip(value: Any) -> Any:
        if isinstance(value, PretendTensor):
            pretended[id(value.inner)] = value
            return value.inner
        if isinstance(value, Tensor):
            others.append(value)
        elif type(value) in (list, tuple):
            return type(value)(map(strip, value))
        elif isinstance(value, torch.Generator):
            generators.append(value)
        return value

    def wrap(value: Any) -> Any:
        if isinstance(value, Tensor):
            if (own := pretended.get(id(value))) is None:
                return PretendTensor(value)
            if torch.Tag.inplace_view in func.tags:  # `unsqueeze_`, say
                raise NotImplementedError(f"the pretended device cannot change a shape: {func}")
            return own  # it was changed in place
        if type(value) in (list, tuple):
            return type(value)(map(wrap, value))
        return value

    inner_args = strip(args)
    inner_kwargs = {name: strip(value) for name, value in kwargs.items()} if kwargs else kwargs
    target = kwargs.get("device")
    if to_pretended := target is not None and target.type == DEVICE.type:
        inner_kwargs = {**inner_kwargs, "device": torch.device("cpu")}
    if pretended and others and not _may_mix(func, args, others):
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"{DEVICE} and cpu! (when computing {func})"
        )
    lands_there = to_pretended or (target is None and bool(pretended))
    if lands_there and generators:
        raise RuntimeError(
            f"Expected a '{DEVICE.type}' device type for generator but found 'cpu' ({func})"
        )
    result = func(*inner_args, **inner_kwargs)
    into_cpu = func.overloadpacket.__name__ == "copy_" and result is args[0]
    return wrap(result) if lands_there and not into_cpu else result


def _may_mix(func: Any, args: tuple, others: list[Tensor]) -> bool:
    """Whether CUDA would take these tensors of the CPU together with its own."""
    name, into_own = func.overloadpacket.__name__, isinstance(args[0], PretendTensor)
    if name in COPIES:
        return True
    if name in INDEXING:
        return into_own and all(isinstance(v, PretendTensor) or v.ndim == 0 for v in args[2:3])
    takes_numbers = torch.Tag.pointwise in func.tags or name.removesuffix("_") in FILLING
    only_numbers = not any(other.ndim for other in others)
    return takes_numbers and only_numbers and (into_own or not func._schema.is_mutable)


class _PretendMode(TorchDispatchMode):
    """Sees every operation, also those that make tensors out of nothing on the device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def _from_data(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`torch.tensor` or `torch.as_tensor` for the pretended device, which C++ would not ask."""

    def made(data: Any, dtype=None, device=None, requires_grad: bool = False, **options) -> Tensor:
        place = torch.empty(0).device if device is None else torch.device(device)
        if isinstance(data, Tensor) and make is as_tensor:
            return data.to(device=data.device if device is None else place, dtype=dtype)
        numbers = tree_map_only(PretendTensor, lambda t: t.detach().inner, data)
        result = make(numbers, dtype=dtype, device="cpu", **options).to(place)
        return result.requires_grad_() if requires_grad else result

    return made


tensor, as_tensor = torch.tensor, torch.as_tensor


@contextmanager
def pretend_device() -> Iterator[torch.device]:
    """Give torch the pretended device; restore the default device and all else at the end."""
    before = torch.get_default_device()
    _device_constructors.cache_clear()
    torch.tensor, torch.as_tensor = _from_data(tensor), _from_data(as_tensor)
    try:
        with _PretendMode():
            yield torch.device(DEVICE.type)
    finally:
        torch.tensor, torch.as_tensor = tensor, as_tensor
        _device_constructors.cache_clear()  # which may remember the functions just replaced
        torch.set_default_device(None if before.type == "cpu" else before)
