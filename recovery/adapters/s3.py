"""Documents in a bucket: journals, reports and records of backups outlive the machine they were made on."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from recovery.adapters.aws import make_client
from recovery.adapters.secrets import Secrets
from recovery.errors import RecoveryError, SettingsInvalid, TargetUnreachable
from recovery.ownership import files_in
from recovery.roles import VersionedDocument
from recovery.settings import RepoSettings

_READ_SECONDS, _PROMPT_SECONDS = 20, 4


class DocumentBucket:
    """Keeps documents under one folder of a bucket."""

    def __init__(self, repo: RepoSettings, bucket: str, prefix: str, secrets: Secrets, *, patient: bool = True) -> None:
        """`patient`: what is written may be large; without it a silent bucket is given up within seconds."""
        self._read_seconds = _READ_SECONDS if patient else _PROMPT_SECONDS
        self._repo, self._bucket, self._prefix, self._secrets = repo, bucket, prefix, secrets
        self._client: Any = None

    def keep_folder(self, folder: Path, name: str) -> None:
        """Copy all files of a folder of ours; a link is none. Idempotent: the same names are written again."""
        for file, content in files_in(folder):
            self.keep(f"{name}/{file}", content)

    def keep(self, name: str, content: bytes) -> None:
        """Write one document."""
        try:
            self._s3().put_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}", Body=content)
        except (BotoCoreError, ClientError) as error:
            raise self._typed(error) from error

    def read(self, name: str) -> bytes | None:
        """One document; None when there is none of that name."""
        found = self._get(name)
        return found[1] if found else None

    def look(self, name: str) -> VersionedDocument | None:
        """One document, which version it is and how old; None when there is none of that name."""
        if (found := self._get(name)) is None:
            return None
        told, body = found
        now = parsedate_to_datetime(told["ResponseMetadata"]["HTTPHeaders"]["date"])
        return VersionedDocument(body, told["ETag"], (now - told["LastModified"]).total_seconds())

    def swap(self, name: str, content: bytes, version: str | None) -> str | None:
        """Write a document in the place of this version, or (None) of none; None when another one is there by now.

        A write that was sent again after a lost answer finds its own first try there, and is told so: the version is
        the content's. Ref.: Amazon S3 User Guide, Conditional writes.
        """
        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        try:
            told = self._s3().put_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}", Body=content, **condition)
        except ClientError as error:
            # 409: somebody writes it at this moment. 404: the version that was seen is gone.
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") not in (404, 409, 412):
                raise self._typed(error) from error
            seen = self.look(name)
            return seen.version if seen and seen.content == content else None
        except BotoCoreError as error:
            raise self._typed(error) from error
        return str(told["ETag"])

    def names(self) -> tuple[str, ...]:
        """The names of all documents."""
        return tuple(self.sizes())

    def sizes(self) -> dict[str, int]:
        """The names of all documents, and how many bytes each has."""
        try:
            pages = self._s3().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{self._prefix}/")
            found = {str(one["Key"]): int(one["Size"]) for page in pages for one in page.get("Contents", ())}
        except (BotoCoreError, ClientError) as error:
            raise self._typed(error) from error
        return {key.removeprefix(f"{self._prefix}/"): size for key, size in found.items()}

    def remove(self, name: str) -> None:
        """Delete one document. Idempotent: one that is not there is no error."""
        try:
            self._s3().delete_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}")
        except (BotoCoreError, ClientError) as error:
            raise self._typed(error) from error

    def _get(self, name: str) -> tuple[Any, bytes] | None:
        """What S3 tells of a document, and all of it; None when there is none of that name."""
        try:
            told = self._s3().get_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}")
            return told, told["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                return None
            raise self._typed(error) from error
        except BotoCoreError as error:
            raise self._typed(error) from error

    def _s3(self) -> Any:
        if self._client is None:
            repo = self._repo
            self._client = make_client(
                "s3",
                region=repo.region,
                endpoint_url=f"https://{repo.endpoint}:{repo.port}" if repo.endpoint else None,
                ca_file=str(repo.ca_file) if repo.ca_file else None,
                access_key_id=self._secrets.reveal(repo.access_key_id),
                secret_access_key=self._secrets.reveal(repo.secret_access_key),
                read_seconds=self._read_seconds,
            )
        return self._client

    def _typed(self, error: BotoCoreError | ClientError) -> RecoveryError:
        if (
            isinstance(error, ClientError)
            and error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500
        ):
            return TargetUnreachable(
                f"bucket {self._bucket} cannot answer now: {error.response.get('Error', {}).get('Code', 'no reason')}",
                "check the region's state",
            )
        if isinstance(error, ClientError):
            code = error.response.get("Error", {}).get("Code", "unknown error")
            return SettingsInvalid(
                f"bucket {self._bucket} refused the request: {code}", "check the bucket's name, keys and policy"
            )
        if isinstance(error, NoCredentialsError):
            return SettingsInvalid(
                f"there are no keys for bucket {self._bucket}, and this machine has no EC2 instance role",
                "write access_key_id and secret_access_key of the repository into recovery.toml",
            )
        return TargetUnreachable(
            f"bucket {self._bucket} does not answer: {type(error).__name__}", "check the network and the region's state"
        )
