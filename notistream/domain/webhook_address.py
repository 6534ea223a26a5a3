"""Where a webhook may go: address rules that keep tenants out of our network.

The number that is connected to decides (`address_error`), whatever name led there. The rules for
the URL only refuse early, at registration, what would be refused in the end.
"""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from yarl import URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST = 2048
LEAST_PORT = 1024
PORTS = (80, 443)
HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?\Z")
NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")
# What IANA keeps for special purposes; and a metadata service of a cloud that has a public address.
REFUSED_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "168.63.129.16/32",
        ),
    )
)
GLOBAL_V6 = IPv6Network("2000::/3")
REFUSED_V6 = tuple(
    map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"))
)
NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the setting WEBHOOK_ALLOW_NETWORKS opens: networks, and hosts by name."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = field(default_factory=frozenset)

    def has(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def allowed_from(text: str) -> Allowed:
    """Networks (10.1.0.0/16), addresses and host names, separated by commas.

    Raises ValueError naming a wrong one.
    """
    networks: list[Network] = []
    hosts: set[str] = set()
    for part in filter(None, (part.strip().lower() for part in text.split(","))):
        try:
            networks.append(ip_network(part, strict=False))
        except ValueError:
            if not HOST.match(part) or NUMBER.match(part.rstrip(".").rpartition(".")[2]):
                raise ValueError(f"{part!r} is neither a network nor a host") from None
            hosts.add(part.rstrip("."))
    return Allowed(tuple(networks), frozenset(hosts))


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be called, if the address behind it may; `address` where the host is one."""

    url: URL
    host: str
    address: Address | None

    @property
    def secure(self) -> bool:
        return self.url.scheme == "https"


def target_of(text: str) -> Target:
    """Read a URL as the client that calls it will; raises ValueError with what is wrong."""
    if len(text) > LONGEST or not text.isprintable() or "\\" in text or " " in text:
        raise ValueError(
            f"must be a URL of at most {LONGEST} characters, without spaces or backslashes"
        )
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if url.scheme not in ("https", "http") or not host:
        raise ValueError("must be an absolute URL with https, such as https://example.com/hooks")
    if "@" in re.split(r"[/?#]", text.partition("//")[2], maxsplit=1)[0]:
        raise ValueError("must not have a user or a password")
    if "#" in text:
        raise ValueError("must not have a fragment")
    if port not in PORTS and (port or 0) < LEAST_PORT:
        raise ValueError(f"must have port 80, 443, or one from {LEAST_PORT} on")
    return Target(url, host.lower().rstrip("."), _literal(host.lower().rstrip(".")))


def _literal(host: str) -> Address | None:
    """The address that the host is.

    One in an unusual form (0x7f.1, 2130706433, 0177.0.0.1) is refused.
    """
    try:
        return ip_address(host)
    except ValueError:
        pass
    if NUMBER.match(host.rpartition(".")[2]):
        raise ValueError("must have an address of four decimal numbers, or a name") from None
    if not HOST.match(host):
        raise ValueError("must have the name of a host") from None
    return None


def address_error(address: Address, allowed: Allowed, *, secure: bool) -> str | None:
    """Why this address may not be called.

    Without TLS only those are called that the setting allows.
    """
    meant = _embedded(address)
    if allowed.has(meant) or allowed.has(address):
        return None
    if not _is_public(meant):
        return "leads to an address that is not public"
    return None if secure else "must be https"


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for; others stay as they are."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFF_FFFF) if address in NAT64 else address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in REFUSED_V4)
    return address in GLOBAL_V6 and not any(address in network for network in REFUSED_V6)
