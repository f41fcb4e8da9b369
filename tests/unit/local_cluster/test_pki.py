import stat
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from local import kubeconfig, pki


@pytest.fixture
def authority(tmp_path: Path) -> pki.Authority:
    return pki.new_authority(tmp_path / "pki", "kubernetes")


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_keys_are_their_owner_s_only(authority: pki.Authority) -> None:
    issued = pki.issue(authority, "admin", "someone", "system:masters")
    tokens = pki.new_token_keys(authority.files.key.parent)
    for key in (authority.files.key, issued.key, tokens.key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(authority.files.key.parent.stat().st_mode) == 0o700


def test_a_client_is_named_as_kubernetes_reads_it(authority: pki.Authority) -> None:
    subject = read(pki.issue(authority, "kubelet", "system:node:a", "system:nodes").certificate).subject
    assert subject.rfc4514_string() == "CN=system:node:a,O=system:nodes"


def test_a_server_s_names_and_addresses_are_told_apart(authority: pki.Authority) -> None:
    pair = pki.issue(authority, "apiserver", "kube-apiserver", hosts=["10.96.0.1", "localhost"])
    names = read(pair.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.96.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_issued_certificates_are_signed_by_their_authority(authority: pki.Authority) -> None:
    read(pki.issue(authority, "client", "someone").certificate).verify_directly_issued_by(
        authority.certificate
    )


def test_an_authority_can_be_taken_up_again(authority: pki.Authority) -> None:
    again = pki.load_authority(authority.files.key.parent, "kubernetes")
    read(pki.issue(again, "later", "someone").certificate).verify_directly_issued_by(authority.certificate)


def test_a_public_key_is_no_authority(tmp_path: Path) -> None:
    made = pki.new_authority(tmp_path, "kubernetes")
    assert isinstance(made.key, ec.EllipticCurvePrivateKey)
    made.files.key.write_bytes(made.files.certificate.read_bytes())
    with pytest.raises(ValueError, match=r"."):
        pki.load_authority(tmp_path, "kubernetes")


def test_a_kubeconfig_holds_all_it_needs_and_is_its_owner_s_only(
    authority: pki.Authority, tmp_path: Path
) -> None:
    client = pki.issue(authority, "admin", "someone", "system:masters")
    text = kubeconfig.render("https://10.89.7.2:6443", authority.files.certificate, client)
    path = kubeconfig.write(tmp_path / "kubeconfig", text)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config = yaml.safe_load(path.read_text())
    assert config["clusters"][0]["cluster"]["server"] == "https://10.89.7.2:6443"
    assert config["current-context"] == config["contexts"][0]["name"]
    assert set(config["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}
