"""SSH signatures: OpenSSH's own and a security key's count; whatever is amiss is refused."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.signers import (
    NAMESPACE,
    Algorithm,
    SoftKey,
    armored,
    build_token,
    make_key,
    packed,
    ssh_sign,
    unarmored,
)
from vault.codec.sshsig import check_signature, is_by, read_public_key
from vault.errors import SignatureRefused, UsageError

TEXT = b"vault: approval of a request\ndoes: delete\n"
KEYS = [
    SoftKey(algorithm, touch=touch) for algorithm in ("ed25519", "ecdsa") for touch in (True, False)
]
EACH = pytest.mark.parametrize("key", KEYS, ids=lambda key: key.kind)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_what_ssh_keygen_signs_counts(kind: str, tmp_path: Path) -> None:
    """The real program, with keys in files; they want no touch."""
    path, text = make_key(tmp_path, kind), tmp_path / "request.txt"
    text.write_bytes(TEXT)
    key = read_public_key(path.with_name(path.name + ".pub").read_text())
    assert not key.touch
    signature = ssh_sign(path, text).read_text()
    assert is_by(key, signature)
    check_signature(key, TEXT, signature)
    with pytest.raises(SignatureRefused, match="does not fit the text"):
        check_signature(key, TEXT + b" ", signature)
    (text.with_name(text.name + ".sig")).unlink()
    with pytest.raises(SignatureRefused, match="was made for b'file'"):
        check_signature(key, TEXT, ssh_sign(path, text, "file").read_text())


@pytest.mark.parametrize("touched", [True, False])
def test_what_ssh_keygen_signs_on_a_security_key_counts_when_touched(
    tmp_path: Path, *, touched: bool
) -> None:
    """The real program and its own helper, with a token in software: only the touch decides."""
    token, text = build_token(tmp_path), tmp_path / "request.txt"
    text.write_bytes(TEXT)
    untouched = () if touched else ("no-touch-required",)
    path = make_key(tmp_path, "ed25519-sk", token, *untouched)
    key = read_public_key(path.with_name(path.name + ".pub").read_text())
    assert key.touch
    signature = ssh_sign(path, text, token=token).read_text()
    assert is_by(key, signature)
    if touched:
        check_signature(key, TEXT, signature)
        with pytest.raises(SignatureRefused, match="does not fit the text"):
            check_signature(key, TEXT + b" ", signature)
    else:
        with pytest.raises(SignatureRefused, match="nobody touched"):
            check_signature(key, TEXT, signature)


@EACH
def test_ssh_keygen_accepts_what_the_soft_key_signs(key: SoftKey, tmp_path: Path) -> None:
    """So the security key of these tests is one as OpenSSH knows them."""
    signers, signature = tmp_path / "signers", tmp_path / "sig"
    signers.write_text(f"ann {key.line}\n")
    signature.write_text(key.sign(TEXT))
    program = shutil.which("ssh-keygen")
    assert program, "the tests want openssh-client"
    who = ["-I", "ann", "-f", str(signers), "-s", str(signature)]
    words = [program, "-Y", "verify", "-n", NAMESPACE, *who]
    done = subprocess.run(words, input=TEXT, capture_output=True, check=False)
    assert done.returncode == 0, done


@EACH
@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_a_signature_counts_for_its_key_and_text_alone(key: SoftKey, digest: str) -> None:
    """Not for another text, another purpose, another key, or a digest of little worth."""
    known = read_public_key(key.line)
    assert known.touch is key.touch
    check_signature(known, TEXT, key.sign(TEXT, digest=digest))
    for text, namespace in ((TEXT[:-1], NAMESPACE), (TEXT, "git"), (TEXT, "")):
        with pytest.raises(SignatureRefused):
            check_signature(known, TEXT, key.sign(text, namespace=namespace, digest=digest))
    other = SoftKey(key.algorithm, touch=key.touch)
    assert not is_by(known, other.sign(TEXT))
    with pytest.raises(SignatureRefused, match="another key"):
        check_signature(known, TEXT, other.sign(TEXT))
    with pytest.raises(SignatureRefused, match="digest"):
        check_signature(known, TEXT, key.sign(TEXT, digest="sha1"))


@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa"])
def test_a_key_that_was_not_touched_does_not_count(algorithm: Algorithm) -> None:
    """`no-touch-required` is the signer's wish, never the vault's; more flags do no harm."""
    key = SoftKey(algorithm)
    known = read_public_key(key.line)
    for flags in (0, 0x04, 0x80, 0xFE):
        with pytest.raises(SignatureRefused, match="nobody touched"):
            check_signature(known, TEXT, key.sign(TEXT, flags=flags))
    check_signature(known, TEXT, key.sign(TEXT, flags=0x05))


@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa"])
def test_the_touch_cannot_be_added_later(algorithm: Algorithm) -> None:
    """The flag is under the signature: to set it afterwards breaks it."""
    key = SoftKey(algorithm)
    data = bytearray(unarmored(key.sign(TEXT, flags=0)))
    assert data[-5] == 0
    data[-5] = 1
    with pytest.raises(SignatureRefused, match="does not fit the text"):
        check_signature(read_public_key(key.line), TEXT, armored(bytes(data)))


def test_a_touch_key_cannot_pass_for_a_plain_one() -> None:
    """A signature of the plain kind by the same number is not one of the key in a device."""
    device = SoftKey("ed25519")
    plain = SoftKey("ed25519", touch=False, _ed=device._ed)
    known = read_public_key(device.line)
    with pytest.raises(SignatureRefused, match="another key"):
        check_signature(known, TEXT, plain.sign(TEXT))
    forged = unarmored(plain.sign(TEXT)).replace(packed(plain.blob), packed(device.blob))
    with pytest.raises(SignatureRefused, match="its kind is not its key's"):
        check_signature(known, TEXT, armored(forged))


@EACH
def test_nothing_may_follow_or_be_missing(key: SoftKey) -> None:
    """Every cut and every addition is refused, as a refusal, not as a failure."""
    known, data = read_public_key(key.line), unarmored(key.sign(TEXT))
    for end in range(len(data)):
        with pytest.raises(SignatureRefused):
            check_signature(known, TEXT, armored(data[:end]))
    with pytest.raises(SignatureRefused, match="follows its end"):
        check_signature(known, TEXT, armored(data + b"\0"))


@EACH
def test_nothing_may_follow_inside(key: SoftKey) -> None:
    """Nor within the signature's own parts, where no digest covers it."""
    known, data = read_public_key(key.line), unarmored(key.sign(TEXT))
    kind = packed(key.kind.encode())
    head, blob = data.rsplit(packed(kind + data.split(kind)[-1])[:4] + kind, 1)
    length = int.from_bytes(blob[:4], "big")
    raw, trailer = blob[4 : 4 + length], blob[4 + length :]
    assert armored(head + packed(kind + packed(raw) + trailer)) == armored(data)
    for inner in (packed(raw) + trailer + b"\0", packed(raw + packed(b"\0")) + trailer):
        with pytest.raises(SignatureRefused):
            check_signature(known, TEXT, armored(head + packed(kind + inner)))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.binary().map(armored), st.binary().map(lambda b: b.hex())))
def test_garbage_is_refused(signature: str) -> None:
    """Whatever is brought: a refusal."""
    known = read_public_key(KEYS[0].line)
    with pytest.raises(SignatureRefused):
        check_signature(known, TEXT, signature)
    with suppress(SignatureRefused):
        assert not is_by(known, signature)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KEYS), st.integers(0, 9999))
def test_a_changed_bit_is_refused(key: SoftKey, place: int) -> None:
    """Any bit of a signature, also those that no field of it needs."""
    whole = bytearray(unarmored(key.sign(TEXT)))
    at = place % (len(whole) * 8)
    whole[at // 8] ^= 1 << at % 8
    with pytest.raises(SignatureRefused):
        check_signature(read_public_key(key.line), TEXT, armored(bytes(whole)))


@EACH
def test_a_public_key_is_read_whole(key: SoftKey) -> None:
    """The comment is left out; what is no key of these kinds is refused."""
    kind, blob, _ = key.line.split(" ")
    assert read_public_key(f"  {key.line}\n").line == f"{kind} {blob}"
    other = SoftKey("ecdsa" if key.algorithm == "ed25519" else "ed25519", touch=key.touch)
    wrong = (
        *("", kind, f"{kind} !", f"ssh-rsa {blob}", f"{other.kind} {blob}"),
        *(f"{kind} {blob[:-8]}", f"{kind} {blob}AAAA", f"{blob} {kind}"),
    )
    for line in wrong:
        with pytest.raises(UsageError, match="no SSH public key"):
            read_public_key(line)


def test_a_point_off_the_curve_is_no_key() -> None:
    """It is found when somebody is enrolled, not when they sign."""
    kind = "ecdsa-sha2-nistp256"
    blob = b"".join(map(packed, (kind.encode(), b"nistp256", b"\x04" + os.urandom(64))))
    with pytest.raises(UsageError, match="no SSH public key"):
        read_public_key(f"{kind} {base64.b64encode(blob).decode()}")
