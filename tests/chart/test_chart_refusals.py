"""Values that are wrong are refused in a sentence that names them."""

from typing import Any

import pytest

from tests.chart.chart import refusal

BAD: list[tuple[dict[str, Any], str]] = [
    ({"replicas": 2}, "additional properties 'replicas' not allowed"),
    ({"auth__replica": 2}, "at '/auth': additional properties 'replica' not allowed"),
    ({"smtpGateway__publicService__nodePorts": {"smpt": 30025}}, "additional properties 'smpt' not allowed"),
    ({"auth__publicService": {}}, "at '/auth': additional properties 'publicService' not allowed"),
    ({"settings": {"MAX_MESSAGES_BYTES": 1}}, "additional properties 'MAX_MESSAGES_BYTES' not allowed"),
    ({"settings": {"DATABASE_URL": "postgresql://x"}}, "additional properties 'DATABASE_URL' not allowed"),
    ({"settings": {"CLOCK_OFFSET_SECONDS": 60}}, "additional properties 'CLOCK_OFFSET_SECONDS' not allowed"),
    ({"database__roles": "many"}, "at '/database/roles': value must be one of 'create', 'existing', 'none'"),
    ({"exposure__type": "Ingress"}, "at '/exposure/type': value must be one of"),
    ({"exposure__externalTrafficPolicy": "local"}, "value must be one of 'Local', 'Cluster'"),
    ({"proxyProtocol__enabled": True}, "at '/proxyProtocol/trustedProxies': minItems: got 0, want 1"),
    ({"tls__certManager__enabled": True}, "at '/tls/certManager/issuerRef': missing property 'name'"),
    ({"tls__secrets": ["default"]}, "at '/tls/secrets/0': 'not' failed"),
    ({"tls__minimum": {"pop3s": 1.0}}, "at '/tls/minimum/pop3s': value must be one of '1.0', '1.1', '1.2', '1.3'"),
    ({"tls__minimum": {"ftps": "1.0"}}, "at '/tls/minimum': additional properties 'ftps' not allowed"),
    ({"hostname": "mail example"}, "at '/hostname': 'mail example' does not match pattern"),
    ({"auth__replicas": "two"}, "at '/auth/replicas': got string, want integer"),
    ({"drainDelaySeconds": -1}, "at '/drainDelaySeconds': minimum: got -1, want 0"),
    ({"network__podNetworks": ["pods"]}, "at '/network/podNetworks/0': 'pods' does not match pattern"),
    ({"hostname": ""}, "hostname: give the mail service's public name"),
    ({"tls__selfSigned": False}, "tls: name a certificate in tls.existingSecret"),
    ({"postgres__bundled": False}, "database.existingSecret: name the secret that says where Postgres is"),
    ({"database__existingSecret": "pg"}, "database.existingSecret and postgres.bundled exclude each other"),
    ({"database__roles": "existing"}, "database.roleSecrets.auth: name the secret with this role's username"),
]


@pytest.mark.parametrize(("values", "sentence"), BAD, ids=[sentence[:50] for _, sentence in BAD])
def test_refused(values: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(**values)
