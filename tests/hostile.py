"""A shell in which everything is set that could lead a recovery astray: to nonsense, or to something live."""

from __future__ import annotations

from pathlib import Path

_NOWHERE = "http://127.0.0.1:1"
_LIBPQ = {
    "PGHOST": "db.elsewhere.invalid",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "1",
    "PGDATABASE": "elsewhere",
    "PGUSER": "nobody",
    "PGPASSWORD": "wrong",
    "PGPASSFILE": "/nonsense/pgpass",
    "PGSERVICE": "elsewhere",
    "PGSERVICEFILE": "/nonsense/pg_service.conf",
    "PGSYSCONFDIR": "/nonsense",
    "PGOPTIONS": "-c search_path=nowhere -c default_transaction_read_only=on -c statement_timeout=1",
    "PGAPPNAME": "elsewhere",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "/nonsense/root.crt",
    "PGSSLCERT": "/nonsense/client.crt",
    "PGSSLKEY": "/nonsense/client.key",
    "PGSSLMINPROTOCOLVERSION": "nonsense",
    "PGREQUIREPEER": "nobody",
    "PGREQUIREAUTH": "none",
    "PGKRBSRVNAME": "elsewhere",
    "PGGSSENCMODE": "require",
    "PGCHANNELBINDING": "require",
    "PGTARGETSESSIONATTRS": "standby",
    "PGCONNECT_TIMEOUT": "nonsense",
    "PGCLIENTENCODING": "nonsense",
    "PGDATESTYLE": "German",
    "PGTZ": "Pacific/Apia",
    "PGGEQO": "nonsense",
    "PGDATA": "/nonsense/data",
}
_PGBACKREST = {
    "PGBACKREST_DELTA": "y",
    "PGBACKREST_FORCE": "y",
    "PGBACKREST_LINK_ALL": "y",
    "PGBACKREST_PG1_PATH": "/nonsense/data",
    "PGBACKREST_PG1_PORT": "1",
    "PGBACKREST_PG1_HOST": "db.elsewhere.invalid",
    "PGBACKREST_PG1_SOCKET_PATH": "/nonsense",
    "PGBACKREST_PG1_USER": "nobody",
    "PGBACKREST_TABLESPACE_MAP_ALL": "/nonsense/tablespaces",
    "PGBACKREST_CONFIG": "/nonsense/pgbackrest.conf",
    "PGBACKREST_CONFIG_INCLUDE_PATH": "/nonsense/conf.d",
    "PGBACKREST_CONFIG_PATH": "/nonsense",
    "PGBACKREST_STANZA": "elsewhere",
    "PGBACKREST_REPO": "2",
    "PGBACKREST_REPO1_TYPE": "posix",
    "PGBACKREST_REPO1_PATH": "/nonsense/repo",
    "PGBACKREST_REPO1_S3_BUCKET": "elsewhere",
    "PGBACKREST_REPO1_S3_KEY": "THEIRS",
    "PGBACKREST_REPO1_S3_KEY_SECRET": "theirs",
    "PGBACKREST_REPO1_CIPHER_TYPE": "none",
    "PGBACKREST_REPO1_CIPHER_PASS": "wrong",
    "PGBACKREST_REPO1_STORAGE_HOST": "s3.elsewhere.invalid",
    "PGBACKREST_REPO1_RETENTION_FULL": "1",
    "PGBACKREST_SPOOL_PATH": "/nonsense/spool",
    "PGBACKREST_LOCK_PATH": "/nonsense/lock",
    "PGBACKREST_LOG_PATH": "/nonsense/log",
    "PGBACKREST_LOG_LEVEL_CONSOLE": "debug",
    "PGBACKREST_OUTPUT": "text",
    "PGBACKREST_SET": "20200101-000000F",
    "PGBACKREST_TYPE": "none",
    "PGBACKREST_TARGET_ACTION": "shutdown",
    "PGBACKREST_ARCHIVE_MODE": "preserve",
    "PGBACKREST_RECOVERY_OPTION": "primary_conninfo=host=elsewhere",
    "PGBACKREST_DB_EXCLUDE": "clickview",
    "PGBACKREST_PROCESS_MAX": "nonsense",
}
_LOCALE = {
    "LANG": "xx_XX.UTF-8",
    "LANGUAGE": "de",
    "LC_ALL": "xx_XX",
    "LC_CTYPE": "xx_XX",
    "LC_MESSAGES": "de_DE.UTF-8",
    "LC_NUMERIC": "de_DE.UTF-8",
    "LC_TIME": "de_DE.UTF-8",
    "TZ": "Pacific/Apia",
}
_PROXIES = {name: _NOWHERE for one in ("http_proxy", "https_proxy", "ftp_proxy") for name in (one, one.upper())} | {
    "ALL_PROXY": "socks5://127.0.0.1:1",
    "all_proxy": "nonsense",
    "NO_PROXY": "elsewhere.invalid",
}
_AWS = {
    "AWS_PROFILE": "nonsense",
    "AWS_DEFAULT_PROFILE": "nonsense",
    "AWS_CONFIG_FILE": "/nonsense/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonsense/credentials",
    "AWS_ACCESS_KEY_ID": "THEIRS",
    "AWS_SECRET_ACCESS_KEY": "theirs",
    "AWS_SESSION_TOKEN": "theirs",
    "AWS_REGION": "eu-nowhere-1",
    "AWS_DEFAULT_REGION": "eu-nowhere-1",
    "AWS_ENDPOINT_URL": _NOWHERE,
    "AWS_ENDPOINT_URL_S3": _NOWHERE,
    "AWS_ENDPOINT_URL_SECRETS_MANAGER": _NOWHERE,
    "AWS_CA_BUNDLE": "/nonsense/ca.pem",
    "AWS_MAX_ATTEMPTS": "nonsense",
    "AWS_RETRY_MODE": "nonsense",
    "AWS_DEFAULTS_MODE": "nonsense",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_DATA_PATH": "/nonsense",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "nonsense",
    "AWS_ROLE_ARN": "arn:aws:iam::1:role/theirs",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonsense/token",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": _NOWHERE,
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": _NOWHERE,
    "REQUESTS_CA_BUNDLE": "/nonsense/ca.pem",
}
_KUBERNETES = {
    "KUBECONFIG": "/nonsense/kubeconfig",
    "KUBERNETES_SERVICE_HOST": "kubernetes.elsewhere.invalid",
    "KUBERNETES_SERVICE_PORT": "1",
}
SHELL = _LIBPQ | _PGBACKREST | _LOCALE | _PROXIES | _AWS | _KUBERNETES


def hostile_shell(live_data_dir: Path) -> dict[str, str]:
    """The same, with all that could name a place of a server naming this live one."""
    live = dict.fromkeys(("PGDATA", "PGBACKREST_PG1_PATH", "PGBACKREST_PG2_PATH"), str(live_data_dir))
    tablespaces = str(live_data_dir / "pg_tblspc")
    return SHELL | live | {"PGBACKREST_TABLESPACE_MAP_ALL": tablespaces, "PGBACKREST_LOCK_PATH": str(live_data_dir)}


def leave_files_in_home(home: Path) -> None:
    """What libpq, boto3 and kubectl look for in a user's home, with nonsense in it."""
    files = {
        ".pg_service.conf": "[elsewhere]\nhost=db.elsewhere.invalid\nport=1\n",
        ".pgpass": "*:*:*:*:wrong\n",
        ".aws/config": f"[default]\nregion = eu-nowhere-1\nendpoint_url = {_NOWHERE}\nca_bundle = /nonsense/ca.pem\n",
        ".aws/credentials": "[default]\naws_access_key_id = THEIRS\naws_secret_access_key = theirs\n",
        ".kube/config": "current-context: elsewhere\ncontexts: []\nclusters: []\nusers: []\n",
        ".boto": "[Credentials]\naws_access_key_id = THEIRS\naws_secret_access_key = theirs\n",
    }
    for name, content in files.items():
        file = home / name
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(content)
