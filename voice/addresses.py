"""Is it an e-mail address, and the one that was meant? Nothing here is looked up but in ``takes_mail``."""

import difflib
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

# Where Danes have their mail. A domain that is nearly one of these is probably a slip of the finger.
_PROVIDERS = (
    *("gmail.com", "googlemail.com", "hotmail.com", "hotmail.dk", "outlook.com", "outlook.dk", "live.com", "live.dk", "msn.com"),
    *("yahoo.com", "yahoo.dk", "ymail.com", "icloud.com", "me.com", "mac.com", "mail.dk", "jubii.dk", "ofir.dk", "sol.dk", "privat.dk"),
    *("tdcadsl.dk", "webspeed.dk", "stofanet.dk", "youmail.dk", "mail.tele.dk", "post.tele.dk", "get2net.dk", "fibermail.dk"),
    *("kabelmail.dk", "email.dk", "proton.me", "protonmail.com", "pm.me", "gmx.com", "gmx.de", "gmx.net", "mail.com", "aol.com"),
    *("hotmail.de", "hotmail.se", "hotmail.no", "hotmail.fr", "yahoo.de", "yahoo.fr", "yahoo.se", "yahoo.no", "wp.pl", "o2.pl"),
    *("outlook.de", "outlook.fr", "live.se", "live.no", "gmail.dk", "c.dk", "pc.dk", "os.dk"),
)
_NEAR = 0.85  # of 1: one letter wrong, missing, doubled or swapped in a domain of seven letters or more
MAX = 254


@dataclass(frozen=True, slots=True)
class Address:
    """An address as a mail can carry it, and its domain as it is read and said."""

    text: str  # ASCII
    domain: str  # may hold Danish letters


def read(written: str) -> Address | None:
    """What was written, as an address; None if it is none. What is no Latin letter is refused: it only looks like one."""
    from email_validator import EmailNotValidError, validate_email  # here, as it is slow to load and calls never need it

    written = unicodedata.normalize("NFC", written.strip(" \t\u00a0"))
    if len(written) > MAX or not written.isprintable():
        return None
    try:
        found = validate_email(written, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError:
        return None
    if len(found.domain.rpartition(".")[2]) < 2 or not all(_is_latin(letter) for letter in found.domain):
        return None
    return Address(f"{found.local_part}@{found.ascii_domain}", found.domain)


def meant(address: Address) -> Address | None:
    """The address that was probably meant, if its domain is nearly one that many have."""
    if address.domain in _PROVIDERS:
        return None
    near = difflib.get_close_matches(address.domain, _PROVIDERS, n=1, cutoff=_NEAR)
    return Address(f"{address.text.rpartition('@')[0]}@{near[0]}", near[0]) if near else None


def is_of(address: Address, domains: Collection[str]) -> bool:
    """Whether it belongs to one of these domains or to a part of one."""
    ascii_domain = address.text.rpartition("@")[2]
    return any(ascii_domain == domain or ascii_domain.endswith(f".{domain}") for domain in domains)


def takes_mail(address: Address, seconds: int = 2) -> bool:
    """Whether the domain takes any mail. Asks the network; when that does not answer in time, yes."""
    from email_validator import EmailUndeliverableError
    from email_validator.deliverability import validate_email_deliverability

    try:
        validate_email_deliverability(address.text.rpartition("@")[2], address.domain, timeout=seconds)
    except EmailUndeliverableError:
        return False
    except Exception:  # a broken resolver must keep nobody from their mail
        return True
    return True


def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN ")
