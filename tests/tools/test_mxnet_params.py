import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mxnet_format import CODES, fields_of, write

from acr_lightning.errors import UserError
from tools.convert_resnet38d import read_mxnet_params

ARRAYS = {
    "arg:conv_weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "aux:norm_var": np.array([0.5, -1, np.pi], np.float32),
}
VERSIONS = (0, 1, 2, 3)


u32, i32, u64, i64 = (struct.Struct(form).pack for form in ("<I", "<i", "<Q", "<q"))


def same(found, wanted):
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert np.array_equal(found[name], array)


@pytest.mark.parametrize("device", [(1, 0), (2, 3), (3, 0), (5, 0)])
@pytest.mark.parametrize("version", VERSIONS)
def test_reads_every_version_and_device(tmp_path, version, device):
    same(read_mxnet_params(write(tmp_path / "a.params", ARRAYS, version=version, device=device)), ARRAYS)


@pytest.mark.parametrize("dtype", CODES)
def test_reads_every_element_type(tmp_path, dtype):
    arrays = {"a": np.arange(6).astype(dtype).reshape(3, 2)}
    same(read_mxnet_params(write(tmp_path / "a.params", arrays)), arrays)


def test_an_empty_list_is_whole(tmp_path):
    assert read_mxnet_params(write(tmp_path / "a.params", {})) == {}


# field -> what replaces it; the versions of the format that have it; what the message says.
CORRUPTIONS = [
    ({"magic": u64(0x113)}, VERSIONS, r"magic number \(byte 0\) is 0x113, not 0x112"),
    ({"reserved": u64(1)}, VERSIONS, r"reserved word \(byte 8\) is 0x1, not 0"),
    ({"array count": u64(2**63)}, VERSIONS, r"number of arrays \(byte 16\) is 9,223,372,036,854,775,808, too many"),
    ({"array count": u64(3)}, VERSIONS, r"array 3 of 3: "),
    ({"array count": u64(1)}, VERSIONS, r"number of names .* not 1 as the number of arrays"),
    ({"version 0": u32(0xF993FAC7)}, (1, 2, 3), r"array 1 of 2: version or number of dimensions \(byte 24\)"),
    ({"version 1": u32(0)}, (1, 2, 3), r"array 2 of 2: version or number of dimensions"),
    ({"storage 0": i32(1)}, (2, 3), r"array 1 of 2: storage type .* is 1; only dense"),
    ({"storage 1": i32(-1)}, (2, 3), r"array 2 of 2: storage type .* is -1; only dense"),
    ({"ndim 0": u32(0)}, VERSIONS, r"array 1 of 2: .*number of dimensions .* is 0x0, not 1 to 32"),
    ({"ndim 0": u32(33)}, VERSIONS, r"array 1 of 2: .*number of dimensions .* is 0x21, not 1 to 32"),
    ({"ndim 1": u32(2**32 - 1)}, VERSIONS, r"array 2 of 2: .*number of dimensions .* is 0xffffffff, not 1 to 32"),
    ({"dim 0.0": u32(0)}, (0,), r"array 1 of 2: size of dimension 0 .* is 0, not 1 to"),
    ({"dim 0.0": u32(2**32 - 1)}, (0,), r"size of dimension 0 .* is 4,294,967,295, not 1 to"),
    ({"dim 0.1": i64(0)}, (1, 2, 3), r"array 1 of 2: size of dimension 1 .* is 0, not 1 to"),
    ({"dim 0.2": i64(-4)}, (1, 2, 3), r"array 1 of 2: size of dimension 2 .* is -4, not 1 to"),
    ({"dim 0.0": i64(2**62)}, (1, 2, 3), r"array 1 of 2: size of dimension 0 .* is 4,611,686,018,427,387,904, not"),
    ({"device type 0": i32(4)}, VERSIONS, r"array 1 of 2: device type .* is 4, not one of"),
    ({"device type 1": i32(-1)}, VERSIONS, r"array 2 of 2: device type .* is -1, not one of"),
    ({"device number 0": i32(-1)}, VERSIONS, r"array 1 of 2: device number .* is -1, not 0 to 15"),
    ({"device number 1": i32(16)}, VERSIONS, r"array 2 of 2: device number .* is 16, not 0 to 15"),
    ({"dtype 0": i32(7)}, VERSIONS, r"array 1 of 2: element type .* is 7, not one of"),
    ({"dtype 1": i32(-1)}, VERSIONS, r"array 2 of 2: element type .* is -1, not one of"),
    ({"data 1": b"short"}, VERSIONS, r"number of names"),
    ({"dim 1.0": u32(20)}, (0,), r"array 2 of 2: data .* is 80 bytes, but the file ends after"),
    ({"dim 1.0": i64(20)}, (1, 2, 3), r"array 2 of 2: data .* is 80 bytes, but the file ends after"),
    ({"name count": u64(0)}, VERSIONS, r"number of names .* is 0, not 2 as the number of arrays"),
    ({"name count": u64(2**64 - 1)}, VERSIONS, r"number of names .* is 18,446,744,073,709,551,615, not 2"),
    ({"name length 0": u64(2**64 - 1)}, VERSIONS, r"name 1 .* is 18,446,744,073,709,551,615 bytes, but the file ends"),
    ({"name length 1": u64(3)}, VERSIONS, r"name 2 .* is the last one, but 9 bytes follow"),
    ({"name 0": b"arg:conv_weigh\xff"}, VERSIONS, r"name 1 .* is no UTF-8 text"),
    ({"name length 1": u64(15), "name 1": b"arg:conv_weight"}, VERSIONS, r"name 2 .* is 'arg:conv_weight', a second"),
    ({"name 1": b"aux:norm_var."}, VERSIONS, r"name 2 .* is the last one, but 1 bytes follow"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "version", "message"),
    [(changed, version, message) for changed, versions, message in CORRUPTIONS for version in versions],
)
def test_a_corrupted_field_is_named(tmp_path, changed, version, message):
    fields = fields_of(ARRAYS, version=version)
    assert set(changed) <= {name for name, _ in fields}
    path = tmp_path / "a.params"
    path.write_bytes(b"".join(changed.get(name, content) for name, content in fields))
    with pytest.raises(UserError, match=message) as caught:
        read_mxnet_params(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_every_kind_of_field_was_corrupted():
    kinds = {name.split()[0] for version in VERSIONS for name, _ in fields_of(ARRAYS, version=version)}
    assert {name.split()[0] for changed, _, _ in CORRUPTIONS for name in changed} == kinds


def test_sizes_whose_product_overflows(tmp_path):
    # 4^32 = 2^64, which is 0 in 64 bits.
    fields = dict(fields_of({"a": np.zeros((1,) * 32, np.int8)}, version=2))
    fields |= {f"dim 0.{axis}": i64(4) for axis in range(32)}
    (tmp_path / "a.params").write_bytes(b"".join(fields.values()))
    with pytest.raises(UserError, match=r"array 1 of 1: size of dimension \d"):
        read_mxnet_params(tmp_path / "a.params")


@pytest.mark.parametrize("version", VERSIONS)
def test_cut_anywhere(tmp_path, version):
    content = b"".join(value for _, value in fields_of(ARRAYS, version=version))
    path = tmp_path / "a.params"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"a\.params: damaged, cut short .* download the file again"):
            read_mxnet_params(path)


@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_wrong_byte_is_an_error_or_another_whole_file(tmp_path, version, data):
    content = bytearray(b"".join(value for _, value in fields_of(ARRAYS, version=version)))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "a.params"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        arrays = read_mxnet_params(path)
    except UserError:
        arrays = {}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    # Nothing is invented: the bytes of the arrays are the file's.
    assert sum(array.nbytes for array in arrays.values()) < len(content)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.params: cannot be read \(No such file"):
        read_mxnet_params(tmp_path / "nowhere.params")
    with pytest.raises(UserError, match="cannot be read"):
        read_mxnet_params(tmp_path)
