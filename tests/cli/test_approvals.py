"""Second signatures from the command line: enrolled, asked, signed, brought, carried out."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.hosts import Host
from tests.signers import SoftKey, make_key, ssh_sign
from vault.errors import ApprovalUnknown, KitMissing, SignatureRefused, UsageError

ITEM = {
    *("id", "state", "requester", "verb", "volume", "about", "environment", "reason", "task"),
    *("approved_by", "wanted", "rejected_by", "rejected_for", "expires_at", "text"),
}


@pytest.fixture
def keys(fresh: Host, tmp_path: Path) -> dict[str, SoftKey]:
    """Ann and Bob, enrolled by the kit with keys that want a touch."""
    made = {"ann": SoftKey(), "bob": SoftKey("ecdsa")}
    for name, key in made.items():
        fresh.ask("approver", "add", name, "--key", public(tmp_path, key), "--kit", fresh.kit)
    return made


def public(folder: Path, key: SoftKey) -> Path:
    """A key's `.pub` file."""
    path = folder / f"{sha256(key.blob).hexdigest()[:12]}.pub"
    path.write_text(key.line + "\n")
    return path


def asked(host: Host, *words: str | Path) -> str:
    """Run what people have to agree to; gives the id under which it waits."""
    answer = host.run(*words, "--json", status=62)
    error = json.loads(answer.err)
    assert error["code"] == "approval_needed"
    assert error["retryable"]
    (waiting,) = (i for i in host.ask("approvals").items if i["state"] == "waiting")
    assert f"vault approve {waiting['id']}" in error["hint"]
    return str(waiting["id"])


def test_from_the_request_to_what_was_asked_for(
    fresh: Host, keys: dict[str, SoftKey], tmp_path: Path
) -> None:
    """The whole way: refused, read, signed, brought, carried out, used up."""
    add = ("approver", "add", "cyd", "--key", public(tmp_path, SoftKey()))
    ask = asked(fresh, *add)
    told = fresh.run("approve", ask).out
    text = fresh.run("approve", ask, "--text").out
    assert text.startswith("vault: approval of a request\n")
    assert text in told
    assert "ssh-keygen -Y sign -n approval@vault -f" in told
    assert "--signature request.txt.sig" in told
    item = fresh.ask("approve", ask).item
    assert item.keys() == ITEM
    assert (item["text"], item["verb"], item["wanted"]) == (text, "roster", 1)
    assert "waiting" in fresh.run("approvals").out
    assert asked(fresh, *add) == ask
    signature = tmp_path / "request.txt.sig"
    signature.write_text(keys["bob"].sign(text))
    done = fresh.ask("approve", ask, "--signature", signature).item
    assert (done["state"], done["approved_by"]) == ("given", ["bob"])
    fresh.ask(*add)
    assert [a["name"] for a in fresh.ask("approver", "list").items] == ["ann", "bob", "cyd"]
    fresh.refused(ApprovalUnknown, "approve", ask, "--signature", signature, says="is used")
    assert fresh.ask("approvals").items == []
    assert [i["state"] for i in fresh.ask("approvals", "--all").items] == ["used"]
    assert "Nothing waits" in fresh.run("approvals").out


def test_signatures_that_do_not_count(
    fresh: Host, keys: dict[str, SoftKey], tmp_path: Path
) -> None:
    """Untouched, of a stranger, for another text, no signature, no file."""
    ask = asked(fresh, "approver", "remove", "ann")
    text = fresh.run("approve", ask, "--text").out
    file = tmp_path / "sig"
    for wrong, says in (
        (keys["bob"].sign(text, flags=0), "nobody touched"),
        (keys["bob"].sign(text, namespace="git"), "was made for"),
        (keys["bob"].sign(text + "\n"), "does not fit"),
        (SoftKey().sign(text), "no approver"),
        ("-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n", "does not count"),
        ("{}", "no approver"),
        ("", "does not"),
    ):
        file.write_text(wrong)
        fresh.refused(SignatureRefused, "approve", ask, "--signature", file, says=says)
    file.write_bytes(b"\xff\xfe")
    for place in (file, tmp_path / "nowhere", tmp_path):
        fresh.refused(UsageError, "approve", ask, "--signature", place, says=str(place))
    fresh.refused(ApprovalUnknown, "approve", "ask_zzzzzz", says="ask_zzzzzz")


def test_a_key_in_a_file_is_enrolled_with_a_warning(fresh: Host, tmp_path: Path) -> None:
    """By the real ssh-keygen; where protected it does not agree."""
    key, text = make_key(tmp_path, "ed25519"), tmp_path / "request.txt"
    line = key.with_name(key.name + ".pub")
    enrolled = fresh.run("approver", "add", "ann", "--key", line, "--kit", fresh.kit)
    assert "wants no touch" in enrolled.out + enrolled.err
    ask = asked(fresh, "approver", "quorum", "1")
    text.write_text(fresh.run("approve", ask, "--text").out)
    signature = ssh_sign(key, text)
    fresh.refused(SignatureRefused, "approve", ask, "--signature", signature, says="wants no touch")


def test_a_request_is_rejected(fresh: Host, keys: dict[str, SoftKey]) -> None:
    """With a reason, for all to read; the same is refused from then on."""
    ask = asked(fresh, "approver", "remove", "ann")
    told = fresh.ask("reject", ask, "--reason", "we need her").item
    assert (told["state"], told["rejected_for"]) == ("rejected", "we need her")
    fresh.run("approver", "remove", "ann", status=61)
    fresh.refused(ApprovalUnknown, "reject", ask, "--reason", "once more", says="is rejected")
    fresh.run("reject", ask, status=2)


def test_what_cannot_be_enrolled(fresh: Host, tmp_path: Path) -> None:
    """No key, no person, no kit."""
    assert "Nobody is enrolled" in fresh.run("approver", "list").out
    line = public(tmp_path, SoftKey())
    private = tmp_path / "private"
    private.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    for name, key in (("a b", line), ("ann", private), ("ann", tmp_path / "nowhere")):
        fresh.refused(UsageError, "approver", "add", name, "--key", key, "--kit", fresh.kit)
    fresh.kit.unlink()
    fresh.refused(KitMissing, "approver", "add", "ann", "--key", line)
    fresh.refused(UsageError, "approver", "remove", "ann", says="ann")
    fresh.refused(UsageError, "approver", "quorum", "2")
