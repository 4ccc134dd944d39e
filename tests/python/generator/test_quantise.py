"""Weights as small integers, and the products with them, against numbers worked out in float64."""

import ctypes
import shutil
import subprocess

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ttdirect.generator.native import build, library
from ttdirect.generator.quantise import quantise
from ttdirect.generator.quantised import QuantisedLinear

pytestmark = pytest.mark.skipif(library.load() is None, reason="no library for this processor")

MOST = {8: 127, 4: 8}
SIZES = {"rows": st.integers(1, 40), "columns": st.integers(1, 200), "seed": st.integers(0, 2**31)}


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class CRounded(ctypes.Structure):
    """`Rounded` of linear.h."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("integers", "sums", "scales")]


def product(linear, rows, onto=None, lib=None):
    """`rows @ weight.T + bias` by the library, with what it rounded the rows to."""
    matrix = linear.matrix
    values = torch.zeros(rows.shape[0], matrix.columns)
    values[:, : rows.shape[1]] = rows
    integers = torch.zeros(values.shape, dtype=torch.int16)
    sums = torch.zeros(rows.shape[0], matrix.columns // library.GROUP, dtype=torch.int32)
    scales = torch.zeros(rows.shape[0])
    out = torch.zeros(rows.shape[0], matrix.rows) if onto is None else onto.clone()
    rounded = CRounded(integers.data_ptr(), sums.data_ptr(), scales.data_ptr())
    lib = lib or library.required()
    lib.round_row.argtypes = [ctypes.c_void_p, ctypes.c_int, CRounded, ctypes.c_int]
    for row in range(rows.shape[0]):
        lib.round_row(values[row].data_ptr(), matrix.columns, rounded, row)
    lib.multiply.argtypes = [
        ctypes.POINTER(library.CLinear),
        CRounded,
        *[ctypes.c_int] * 3,
        ctypes.c_void_p,
        *[ctypes.c_int] * 2,
    ]
    described = linear.described()
    lib.multiply(
        described,
        rounded,
        rows.shape[0],
        0,
        matrix.rows,
        out.data_ptr(),
        matrix.rows,
        onto is not None,
    )
    assert torch.equal(sums.long(), integers.view(*sums.shape, -1).sum(-1))
    return out, integers.double() * scales.double()[:, None]


class TestRounding:
    @pytest.mark.parametrize("bits", [8, 4])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    @given(**SIZES)
    def test_each_weight_is_within_half_a_step(self, bits, dtype, rows, columns, seed):
        weight = noise(rows, columns, seed=seed).to(dtype)
        matrix = quantise([weight], bits)
        assert matrix.rows % library.BLOCK == 0
        assert matrix.columns % library.GROUP == 0
        values = matrix.values()
        steps = matrix.scales.float().abs().mT.reshape(matrix.rows, -1)
        steps = steps.repeat_interleave(library.GROUP, 1)
        error = (values[:rows, :columns] - weight.float()).abs()
        # A scale is rounded to bfloat16, so the farthest weight may be cut by a 256th of itself;
        # with 4 bits a smaller scale cuts it on purpose.
        cut = weight.float().abs() / 256 if bits == 8 else weight.float().abs() / 3
        assert (error <= steps[:rows, :columns] * 0.501 + cut).all()
        assert not values[rows:].any()
        assert not values[:, columns:].any()

    @pytest.mark.parametrize("bits", [8, 4])
    def test_what_is_a_multiple_of_the_scale_stays(self, bits):
        integers = torch.arange(-MOST[bits], MOST[bits]).repeat(40)[: 32 * 12].view(2, -1).float()
        integers[:, ::32] = -MOST[bits]
        assert torch.equal(quantise([integers * 0.25], bits).values()[:2], integers * 0.25)

    @pytest.mark.parametrize("bits", [8, 4])
    def test_zeros_stay_zeros(self, bits):
        assert not quantise([torch.zeros(9, 33)], bits).values().any()

    def test_4_bits_take_the_scale_with_the_least_error(self):
        weight = noise(64, 512)
        chosen = (quantise([weight], 4).values() - weight).square().sum()
        groups = weight.view(64, -1, 32)
        farthest = groups.gather(-1, groups.abs().argmax(-1, keepdim=True))
        plain = (groups / (farthest / -8)).round().clamp(-8, 7) * (farthest / -8)
        assert chosen < (plain - groups).square().sum() * 0.95

    def test_a_big_matrix_is_shared_among_threads_and_the_same(self):
        weight = noise(1000, 96)
        whole = quantise([weight], 8)
        halves = [quantise([half], 8) for half in weight.split(512)]
        assert torch.equal(whole.integers, torch.cat([half.integers for half in halves]))


class TestProducts:
    @pytest.mark.parametrize("bits", [8, 4])
    @given(
        count=st.integers(1, 13),
        rows=st.integers(1, 30),
        columns=st.sampled_from([1, 31, 32, 64, 200, 2048, 2080, 4500]),
        has_bias=st.booleans(),
        seed=st.integers(0, 2**31),
    )
    def test_they_are_right_and_a_row_is_the_same_alone(
        self, bits, count, rows, columns, has_bias, seed
    ):
        bias = noise(rows, seed=seed + 1) if has_bias else None
        linear = QuantisedLinear.of(quantise([noise(rows, columns, seed=seed)], bits), bias)
        given_rows = noise(count, columns, seed=seed + 2)
        out, rounded = product(linear, given_rows)
        expected = rounded @ linear.matrix.values().double().T
        if bias is not None:
            expected[:, :rows] += bias.double()
        size = expected.abs().max().clamp_min(1e-3)
        assert (out.double() - expected).abs().max() < 2e-6 * size * columns**0.5
        assert (rounded[:, :columns] - given_rows).abs().max() < 2e-5 * given_rows.abs().max()
        for row in range(count):
            assert torch.equal(product(linear, given_rows[row : row + 1])[0][0], out[row])

    def test_they_can_be_added_to_what_is_there(self):
        linear = QuantisedLinear.of(quantise([noise(16, 64)], 8), None)
        rows, before = noise(5, 64, seed=1), noise(5, 16, seed=2)
        assert torch.equal(product(linear, rows, onto=before)[0], before + product(linear, rows)[0])

    @pytest.mark.parametrize("bits", [8, 4])
    def test_the_largest_numbers_do_not_overflow(self, bits):
        weight = torch.full((16, 8192), 3.0)
        out, _ = product(
            QuantisedLinear.of(quantise([weight], bits), None), torch.full((1, 8192), 7.0)
        )
        assert out[0].tolist() == pytest.approx([8192 * 21.0] * 16, rel=1e-2)

    def test_a_row_of_zeros_gives_zeros(self):
        linear = QuantisedLinear.of(quantise([noise(16, 32)], 8), None)
        assert not product(linear, torch.zeros(1, 32))[0].any()


@pytest.fixture(scope="module")
def wide_library(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    target = tmp_path_factory.mktemp("wide") / "wide.so"
    options = [*build.FLAGS, "-march=x86-64-v3", "-DTTDIRECT_WIDE"]
    subprocess.run([compiler, *options, "-o", target, *build.SOURCES], cwd=build.FOLDER, check=True)
    return ctypes.CDLL(str(target))


class TestWideVectors:
    """What processors with registers of 64 bytes compute, without their instructions."""

    @pytest.mark.parametrize("bits", [8, 4])
    @pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 15])
    def test_they_give_the_same_bits(self, wide_library, bits, count):
        linear = QuantisedLinear.of(quantise([noise(40, 2080)], bits), noise(40, seed=1))
        rows = noise(count, 2080, seed=2)
        assert torch.equal(product(linear, rows, lib=wide_library)[0], product(linear, rows)[0])
