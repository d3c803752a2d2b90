"""AWS clients with deadlines that know the settings only: no variable and no profile of the shell or its user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.environment import NO_FILE, forget_the_shell
from recovery.redaction import remember_secret
from recovery.settings import AwsSettings

# Its own would hang for 180 s on a frozen server. Each call is made twice.
_CONNECT_SECONDS = 5
_READ_SECONDS = 20

if TYPE_CHECKING:
    from pydantic import SecretStr


def client(aws: AwsSettings, service: str) -> Any:
    """A client for Route 53 or Secrets Manager. Keys in [aws] are plain values, not references."""
    return make_client(
        service,
        region=aws.region,
        endpoint_url=aws.endpoint_url,
        ca_file=str(aws.ca_file) if aws.ca_file else None,
        access_key_id=_plain(aws.access_key_id),
        secret_access_key=_plain(aws.secret_access_key),
    )


def make_client(
    service: str,
    *,
    region: str,
    endpoint_url: str | None,
    ca_file: str | None,
    access_key_id: str | None,
    secret_access_key: str | None,
    read_seconds: int = _READ_SECONDS,
) -> Any:
    """A client of any service; every call ends within seconds."""
    import boto3
    from botocore.config import Config

    forget_the_shell()
    return boto3.Session(botocore_session=_session()).client(  # type: ignore[call-overload]
        service,
        region_name=region,
        endpoint_url=endpoint_url,
        verify=ca_file or True,  # None would ask REQUESTS_CA_BUNDLE
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=read_seconds,
            retries={"total_max_attempts": 2},
            s3={"addressing_style": "path"} if endpoint_url else None,
        ),
    )


def _session() -> Any:
    """A session without ~/.aws, whose keys are those it is given, else those of the machine's own role."""
    from botocore.session import Session

    session = Session()
    for file in ("config_file", "credentials_file"):
        session.set_config_variable(file, NO_FILE)
    known = session.get_component("credential_provider")
    for other in [one.METHOD for one in known.providers if one.METHOD != "iam-role"]:
        known.remove(other)
    return session


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else remember_secret(secret.get_secret_value())
