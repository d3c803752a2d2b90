"""Secrets by value or by reference: file:///path or secretsmanager://name#key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from recovery.errors import SettingsInvalid, TargetUnreachable
from recovery.redaction import remember_secret
from recovery.settings import AwsSettings


class Secrets:
    """Resolves the secrets of a site; what was resolved is masked everywhere from then on."""

    def __init__(self, aws: AwsSettings) -> None:
        self._aws = aws
        self._resolved: dict[str, str] = {}

    def reveal(self, secret: SecretStr | None) -> str | None:
        """The value behind a setting; None when it is not set.

        Raises: SettingsInvalid when the reference leads nowhere, TargetUnreachable when Secrets
        Manager does not answer.
        """
        if secret is None:
            return None
        raw = secret.get_secret_value()
        if raw not in self._resolved:
            self._resolved[raw] = remember_secret(self._look_up(raw))
        return self._resolved[raw]

    def _look_up(self, raw: str) -> str:
        if raw.startswith("file://"):
            return _read_file(Path(urlsplit(raw).path))
        if raw.startswith("secretsmanager://"):
            return self._from_secrets_manager(raw)
        return raw

    def _from_secrets_manager(self, reference: str) -> str:
        name, _, key = reference.removeprefix("secretsmanager://").partition("#")
        text = self._secret_string(name)
        if not key:
            return text
        try:
            value: Any = json.loads(text)[key]
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsInvalid(
                f"secret {name} in Secrets Manager has no key {key}", f"add the key {key}, or correct the reference"
            ) from error
        return str(value)

    def _secret_string(self, name: str) -> str:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        from recovery.adapters.aws import client

        try:
            answer = client(self._aws, "secretsmanager").get_secret_value(SecretId=name, VersionStage="AWSCURRENT")
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown error")
            raise SettingsInvalid(
                f"secret {name} cannot be read from Secrets Manager: {code}",
                "check the name, the region and the permission secretsmanager:GetSecretValue",
            ) from error
        except NoCredentialsError as error:
            raise SettingsInvalid(
                "there are no keys for Secrets Manager, and this machine has no EC2 instance role",
                "write access_key_id and secret_access_key into [aws], or the secret into a file (file:///…)",
            ) from error
        except BotoCoreError as error:
            raise TargetUnreachable(
                f"Secrets Manager does not answer: {type(error).__name__}",
                "check [aws] endpoint_url and the network, or write the secret into a file (file:///…)",
            ) from error
        return str(answer["SecretString"])


def _read_file(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(
            f"the secret file {path} cannot be read", "check that it exists and its owner and mode"
        ) from error
