"""Finds in a source text what starts a program, or opens a connection, past the clean environment."""

from __future__ import annotations

import ast

# What starts a program, and what opens a connection of a library that listens to the environment.
STARTS = {
    *(f"subprocess.{name}" for name in ("Popen", "run", "call", "check_call", "check_output")),
    *("subprocess.getoutput", "subprocess.getstatusoutput", "os.system", "os.popen", "pty.spawn"),
    *(f"os.exec{kind}" for kind in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
    *(f"os.spawn{kind}" for kind in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
    *("os.posix_spawn", "os.posix_spawnp", "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
    *("multiprocessing", "concurrent.futures.ProcessPoolExecutor", "anyio.run_process", "anyio.open_process"),
}
CONNECTS = {
    *("psycopg.connect", "psycopg.Connection.connect", "psycopg.AsyncConnection", "psycopg_pool", "psycopg2"),
    *("asyncpg", "sqlalchemy.create_engine", "sqlalchemy.ext.asyncio.create_async_engine"),
    *("boto3", "botocore.session", "aiobotocore", "requests", "urllib3"),
    *("urllib.request.urlopen", "urllib.request.build_opener", "urllib.request.urlretrieve"),
    *(f"kubernetes.{name}" for name in ("client.Configuration", "config.load_config", "config.load_kube_config")),
    *(f"httpx.{name}" for name in ("request", "get", "post", "put", "delete", "stream", "Client", "AsyncClient")),
}
# Given another name, or opened with vars(), such a module would be out of sight.
MODULES = {"subprocess", "psycopg", "httpx", "os", "asyncio", "pty"}
_BUILT_IN = ("getattr", "__import__")
# Methods that connect, whatever they are methods of.
METHODS = {"add_sql", "add_postgres", "create_subprocess_exec", "create_subprocess_shell"}

# The known places, and what proves there that the environment is clean.
KNOWN = {
    ("recovery/adapters/process.py", "subprocess.Popen"): "env=",
    ("deployments/children.py", "subprocess.Popen"): "env=",
    ("recovery/cli/serve.py", "subprocess.Popen"): "env=our_environment",
    ("recovery/cli/serve.py", "os.execve"): "our_environment",
    ("recovery/cli/demo.py", "subprocess.run"): "env=our_environment",
    ("sandbox/startup.py", "subprocess.run"): "env=our_environment",
    ("sandbox/processes.py", "subprocess.Popen"): "env=our_environment",
    ("recovery/adapters/postgres/connection.py", "psycopg.connect"): "forget_the_shell()",
    ("recovery/adapters/aws.py", "boto3"): "forget_the_shell()",
    ("recovery/adapters/aws.py", "botocore.session"): "set_config_variable",
    ("recovery/adapters/application.py", "urllib.request.build_opener"): "forget_the_shell()",
    (
        "recovery/adapters/kubernetes/transport.py",
        "urllib3",
    ): "from urllib3.exceptions import",  # nothing but its errors
    ("recovery/adapters/kubernetes/credentials.py", "kubernetes.client.Configuration"): "forget_the_shell()",
    ("deployments/flow_runs.py", "httpx.request"): "trust_env=False",
    ("tasks/server_api.py", "httpx.request"): "trust_env=False",
    ("sandbox/cluster/container.py", "subprocess.Popen"): "env=",
    ("sandbox/cluster/administration.py", "urllib3"): "HTTPError",  # nothing but its errors
}


class Uses(ast.NodeVisitor):
    """Every use of a name that starts a program or opens a connection, with the function that it stands in."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.functions: list[ast.AST] = []
        self.found: list[tuple[str, ast.AST]] = []

    def visit_Import(self, node: ast.Import) -> None:
        for one in node.names:
            self.names[one.asname or one.name.partition(".")[0]] = (
                one.name if one.asname else one.name.partition(".")[0]
            )
            if not one.asname or one.name in STARTS | CONNECTS:
                self._note(one.name, node, whole_module=True)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for one in node.names:
            full = f"{node.module}.{one.name}"
            if one.name == "*" and any(known.startswith(f"{node.module}.") for known in STARTS | CONNECTS):
                self.found.append((full, self._place(node)))
            self.names[one.asname or one.name] = full
            self._note(full, node)

    def visit_Name(self, node: ast.Name) -> None:
        full = self.names.get(node.id, "")
        self._note(full, node)
        if full in MODULES:
            self.found.append((full, self._place(node)))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        full = self._dotted(node)
        if full:
            self._note(full, node)
            if node.attr == "__dict__":
                self.visit(node.value)
        if node.attr in METHODS:
            self.found.append((node.attr, self._place(node)))
        elif not full:
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        called = self._dotted(node.func)
        if called in ("importlib.import_module", "__import__", "getattr"):
            self._by_name(called, node)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:  # a type is no use
        self.visit(node.target)
        if node.value:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.functions.append(node)
        for part in (*node.decorator_list, *node.args.defaults, *(one for one in node.args.kw_defaults if one)):
            self.visit(part)
        for part in node.body:
            self.visit(part)
        self.functions.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def _by_name(self, called: str, node: ast.Call) -> None:
        words = [one.value for one in node.args if isinstance(one, ast.Constant)]
        if called == "getattr" and node.args and words:
            self._note(f"{self._dotted(node.args[0])}.{words[0]}", node)
        elif words and any(known.split(".")[0] == str(words[0]).split(".")[0] for known in STARTS | CONNECTS):
            self.found.append((str(words[0]), self._place(node)))

    def _dotted(self, node: ast.AST) -> str:
        if isinstance(node, ast.Name):
            return self.names.get(node.id) or (node.id if node.id in _BUILT_IN else "")
        if isinstance(node, ast.Attribute):
            inner = self._dotted(node.value)
            return f"{inner}.{node.attr}" if inner else ""
        return ""

    def _note(self, full: str, node: ast.AST, *, whole_module: bool = False) -> None:
        for known in STARTS | CONNECTS:
            if full == known or (full.startswith(f"{known}.") and not whole_module):
                self.found.append((known, self._place(node)))

    def _place(self, node: ast.AST) -> ast.AST:
        return self.functions[-1] if self.functions else node


def violations(file: str, text: str) -> list[str]:
    """What starts a program or opens a connection past the clean environment, with its line."""
    problems = []
    for name, place in uses_of(text):
        proof = KNOWN.get((file, name))
        # An import proves nothing; what it brings is looked at where it is used.
        if proof is None or not (isinstance(place, (ast.Import, ast.ImportFrom)) or proof in ast.unparse(place)):
            problems.append(f"{file}:{getattr(place, 'lineno', 0)}: {name}")
    return sorted(set(problems))


def uses_of(text: str) -> list[tuple[str, ast.AST]]:
    """Every use in this text, with the function that it stands in."""
    uses = Uses()
    uses.visit(ast.parse(text))
    return uses.found
