"""The plugins that ship with Yett. `BUILTINS` is their order: what finds personal data comes before what finds keys."""

from __future__ import annotations

from yett_plugins.banlist import Banlist
from yett_plugins.canary import Canary
from yett_plugins.code_fragments import CodeFragments
from yett_plugins.gibberish import Gibberish
from yett_plugins.injection import Injection
from yett_plugins.language import Language
from yett_plugins.ner import Ner
from yett_plugins.obfuscation import Obfuscation
from yett_plugins.output_exfil import OutputExfil
from yett_plugins.pii import Pii
from yett_plugins.secrets import Secrets
from yett_plugins.sizes import Sizes
from yett_plugins.topics import Topics
from yett_plugins.toxicity import Toxicity

# Those that are `optional` run only where the configuration names them.
BUILTINS: tuple[type, ...] = (
    Pii,
    Secrets,
    Injection,
    Obfuscation,
    OutputExfil,
    Ner,
    Canary,
    Banlist,
    Topics,
    Toxicity,
    CodeFragments,
    Gibberish,
    Language,
    Sizes,
)

__all__ = [
    "BUILTINS",
    "Banlist",
    "Canary",
    "CodeFragments",
    "Gibberish",
    "Injection",
    "Language",
    "Ner",
    "Obfuscation",
    "OutputExfil",
    "Pii",
    "Secrets",
    "Sizes",
    "Topics",
    "Toxicity",
]
