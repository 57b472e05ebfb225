"""Envelope encryption (I-24, reliability.md section 3 "personal data"): texts open in their own row only."""

import stat
from datetime import UTC, datetime

import pytest

from backend.kernel.config import ConfigError, Settings
from backend.kernel.crypto import Context, Keyring, KeyRow, MasterKeys, SealError, equal, master_keys

MASTER = MasterKeys(bytes(range(32)))
PHONE = Context("resident", "phone", 7)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.create(MASTER)[0]


def test_a_sealed_text_opens_in_its_row(keyring: Keyring) -> None:
    assert keyring.open(keyring.seal("13812346666", PHONE), PHONE) == "13812346666"


def test_the_sealed_form_has_version_key_id_nonce_and_tag(keyring: Keyring) -> None:
    sealed = keyring.seal("张三", PHONE)
    assert sealed[:3] == bytes([1, 0, 1])
    assert len(sealed) == 3 + 12 + len("张三".encode()) + 16


def test_a_keyring_knows_whether_a_text_can_be_outdated(keyring: Keyring) -> None:
    _, rows = Keyring.create(MASTER)
    later = [row._replace(retired_at=LONG_AGO) if row.id == 1 else row for row in rows]
    assert not keyring.rotated and Keyring.load(later, MASTER).rotated


def test_the_same_text_never_seals_to_the_same_bytes(keyring: Keyring) -> None:
    assert keyring.seal("13812346666", PHONE) != keyring.seal("13812346666", PHONE)


@pytest.mark.parametrize(
    "elsewhere",
    [Context("resident", "phone", 8), Context("resident", "name", 7), Context("staff", "phone", 7)],
)
def test_a_sealed_text_moved_elsewhere_does_not_open(keyring: Keyring, elsewhere: Context) -> None:
    sealed = keyring.seal("13812346666", PHONE)
    with pytest.raises(SealError):
        keyring.open(sealed, elsewhere)


def test_no_single_changed_byte_goes_unnoticed(keyring: Keyring) -> None:
    sealed = keyring.seal("13812346666", PHONE)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(SealError):
            keyring.open(bytes(changed), PHONE)


@pytest.mark.parametrize("cut", [b"", b"\x01", b"\x01\x00\x01", b"\x01\x00\x01" + bytes(12), b"\x09" * 40])
def test_what_was_never_sealed_does_not_open(keyring: Keyring, cut: bytes) -> None:
    with pytest.raises(SealError):
        keyring.open(cut, PHONE)


def test_the_error_does_not_show_the_content(keyring: Keyring) -> None:
    with pytest.raises(SealError) as caught:
        keyring.open(keyring.seal("13812346666", PHONE), Context("resident", "phone", 8))
    assert "138" not in str(caught.value)


def test_blind_values_are_equal_for_equal_texts_and_do_not_mix_purposes(keyring: Keyring) -> None:
    value = keyring.blind("13812346666", "phone")
    assert value == keyring.blind("13812346666", "phone")
    assert len(value) == 16
    assert value != keyring.blind("13812346666", "plate")
    assert value != keyring.blind("13812346667", "phone")


def test_stored_rows_give_the_same_keyring_again() -> None:
    before, rows = Keyring.create(MASTER)
    after = Keyring.load(rows, MASTER)
    assert after.open(before.seal("张三", PHONE), PHONE) == "张三"
    assert after.blind("x", "phone") == before.blind("x", "phone")


def test_wrapped_keys_are_useless_in_another_row() -> None:
    _, rows = Keyring.create(MASTER)
    swapped = [rows[0], KeyRow(1, rows[2].wrapped), KeyRow(2, rows[1].wrapped)]
    with pytest.raises(ConfigError):
        Keyring.load(swapped, MASTER)


def test_a_wrong_master_key_is_refused_in_chinese() -> None:
    _, rows = Keyring.create(MASTER)
    with pytest.raises(ConfigError, match="主密钥"):
        Keyring.load(rows, MasterKeys(bytes(32)))


def test_a_missing_index_key_is_refused() -> None:
    _, rows = Keyring.create(MASTER)
    with pytest.raises(ConfigError):
        Keyring.load(rows[1:], MASTER)


def test_the_previous_master_key_still_opens() -> None:
    before, rows = Keyring.create(MASTER)
    after = Keyring.load(rows, MasterKeys(bytes(32), previous=MASTER.current))
    assert after.open(before.seal("张三", PHONE), PHONE) == "张三"


def test_after_a_rotation_old_texts_open_and_ask_to_be_sealed_again() -> None:
    before, rows = Keyring.create(MASTER)
    old = before.seal("张三", PHONE)
    after = Keyring.load([rows[0], rows[1]._replace(retired_at=LONG_AGO), rows[2]], MASTER)
    new = after.seal("张三", PHONE)
    assert after.open(old, PHONE) == "张三"
    assert after.needs_reseal(old)
    assert not after.needs_reseal(new)


def test_a_process_that_has_not_heard_of_the_rotation_opens_what_the_new_key_sealed() -> None:
    before, rows = Keyring.create(MASTER)
    after = Keyring.load([rows[0], rows[1]._replace(retired_at=LONG_AGO), rows[2]], MASTER)
    new = after.seal("张三", PHONE)
    assert before.open(new, PHONE) == "张三"
    assert not before.needs_reseal(new)
    before.reload(after)
    assert before.seal("李四", PHONE)[:3] == new[:3]


def test_the_sandbox_makes_a_master_key_that_only_its_owner_reads(tmp_path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    first = master_keys(settings)
    file = tmp_path / "data" / "master.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert master_keys(settings).current == first.current
    assert len(first.current) == 32
    assert [path.name for path in file.parent.iterdir()] == ["master.key"]


def test_a_damaged_key_file_stops_the_start(tmp_path) -> None:
    (tmp_path / "master.key").write_text("abc")
    with pytest.raises(ConfigError, match="64 位十六进制"):
        master_keys(Settings(data_dir=tmp_path))


def test_given_master_keys_are_used_and_no_file_is_made(tmp_path) -> None:
    keys = master_keys(Settings(data_dir=tmp_path, master_key="ab" * 32, previous_master_key="cd" * 32))
    assert (keys.current, keys.previous) == (b"\xab" * 32, b"\xcd" * 32)
    assert list(tmp_path.iterdir()) == []


def test_keys_do_not_show_in_a_repr() -> None:
    assert MASTER.current.hex() not in repr(MASTER)
    assert repr(MASTER.current)[2:10] not in repr(MASTER)


def test_equal_compares_texts_and_bytes() -> None:
    assert equal("密", "密".encode())
    assert not equal("a", "b")
