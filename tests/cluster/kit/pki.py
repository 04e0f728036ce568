"""The cluster's certificates and kubeconfigs; made anew for every start, worth nothing outside its namespace."""

import base64
import datetime
import ipaddress
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: name -> (common name, organization): who the API server takes the holder for
CLIENTS = {
    "admin": ("cluster-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
    "kubelet-client": ("kube-apiserver", "system:masters"),
}


def _name(common: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organization:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


class Authority:
    """One CA and its folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        folder.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(_name(name), self.key, authority=True)
        write_key(folder / f"{name}.key", self.key)
        self.path = folder / f"{name}.crt"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, names: tuple[str, ...] = (), authority: bool = False
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        if names:
            alternatives: list[x509.GeneralName] = []
            for name in names:
                try:
                    alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
                except ValueError:
                    alternatives.append(x509.DNSName(name))
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, file: str, common: str, organization: str = "", names: tuple[str, ...] = ()) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(_name(common, organization), key, names)
        crt, private = self.folder / f"{file}.crt", self.folder / f"{file}.key"
        crt.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_key(private, key)
        return crt, private


def write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    path.touch(0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def make(folder: Path, node: str, node_address: str, service_address: str) -> None:
    """Everything the programs and people of one cluster show to each other."""
    ca = Authority(folder, "ca")
    ca.issue(
        "apiserver",
        "kube-apiserver",
        names=(
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "localhost",
            "127.0.0.1",
            node_address,
            service_address,
        ),
    )
    for name, (common, organization) in CLIENTS.items():
        ca.issue(name, common, organization)
    ca.issue("kubelet", f"system:node:{node}", "system:nodes", (node, node_address))
    Authority(folder, "front-proxy-ca").issue("front-proxy", "front-proxy-client")
    account = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    write_key(folder / "account.key", account)
    (folder / "account.pub").write_bytes(
        account.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    for name in ("admin", "controller-manager", "scheduler", "proxy", "kubelet"):
        (folder / f"{name}.conf").write_text(kubeconfig(folder, name, f"https://{node_address}:6443"))
        (folder / f"{name}.conf").chmod(0o600)


def kubeconfig(folder: Path, name: str, server: str) -> str:
    """With everything inside, so that the file may be copied anywhere."""

    def data(file: str) -> str:
        return base64.b64encode((folder / file).read_bytes()).decode()

    text: str = yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "postrider",
            "clusters": [
                {"name": "postrider", "cluster": {"server": server, "certificate-authority-data": data("ca.crt")}}
            ],
            "users": [
                {
                    "name": name,
                    "user": {
                        "client-certificate-data": data(f"{name}.crt"),
                        "client-key-data": data(f"{name}.key"),
                    },
                }
            ],
            "contexts": [{"name": "postrider", "context": {"cluster": "postrider", "user": name}}],
        }
    )
    return text
