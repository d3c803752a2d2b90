"""Who asks, and whether they may: by the Roles and RoleBindings that the cluster holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.cluster.answers import Object, Refused
from sandbox.cluster.store import Store


@dataclass(frozen=True)
class User:
    """Somebody with a token."""

    name: str
    groups: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_master(self) -> bool:
        return "system:masters" in self.groups


@dataclass(frozen=True)
class Asked:
    """What somebody wants to do."""

    verb: str
    group: str
    resource: str  # with its subresource: pods/log
    namespace: str = ""
    name: str = ""


ADMINISTRATOR = User("sandbox-administrator", frozenset({"system:masters"}))


def service_account(namespace: str, name: str) -> User:
    """A service account as a user."""
    return User(f"system:serviceaccount:{namespace}:{name}", frozenset({"system:serviceaccounts"}))


def is_allowed(store: Store, user: User, asked: Asked) -> bool:
    """Whether a user may do this."""
    if user.is_master or asked.group == "authorization.k8s.io":
        return True
    return any(_covers(rule, asked) for rule in _rules(store, user, asked.namespace))


def require_right(store: Store, user: User, asked: Asked) -> None:
    """Raises: Refused with 403, as a real API says it."""
    if is_allowed(store, user, asked):
        return
    full = asked.resource.partition("/")[0] + (f".{asked.group}" if asked.group else "")
    named = f'{full} "{asked.name}"' if asked.name else full
    where = f' in the namespace "{asked.namespace}"' if asked.namespace else " at the cluster scope"
    why = f'User "{user.name}" cannot {asked.verb} resource "{asked.resource}" in API group "{asked.group}"{where}'
    details = {"kind": asked.resource.partition("/")[0], "group": asked.group, "name": asked.name}
    raise Refused(
        403, "Forbidden", f"{named} is forbidden: {why}", {key: value for key, value in details.items() if value}
    )


def _rules(store: Store, user: User, namespace: str) -> list[Object]:
    if not namespace:
        return []
    rules: list[Object] = []
    for binding in store.list("rolebindings", namespace):
        if any(_is(subject, user, namespace) for subject in binding.get("subjects") or ()):
            role = store.find("roles", namespace, binding["roleRef"]["name"])
            rules += (role or {}).get("rules") or []
    return rules


def _is(subject: Object, user: User, namespace: str) -> bool:
    if subject["kind"] == "ServiceAccount":
        return user.name == f"system:serviceaccount:{subject.get('namespace', namespace)}:{subject['name']}"
    return bool(subject["name"] in user.groups if subject["kind"] == "Group" else subject["name"] == user.name)


def _covers(rule: Object, asked: Asked) -> bool:
    def has(key: str, value: str) -> bool:
        return any(one in ("*", value) for one in rule.get(key) or ())

    names = rule.get("resourceNames") or []
    if names and asked.name not in names:  # create and deletecollection have no name: never by resourceNames
        return False
    return has("verbs", asked.verb) and has("apiGroups", asked.group) and has("resources", asked.resource)
