"""The reference of the command line, as Markdown, from the commands themselves."""

import html
import re

import typer

from mssim.cli import app

__all__ = ["commands_page"]


def commands_page() -> str:
    """One section for each command: usage, help, examples, arguments and options."""
    commands = typer.main.get_command(app).commands
    return "\n".join(_section(name, command) for name, command in commands.items())


def _section(name: str, command: typer.core.TyperCommand) -> str:
    context = command.make_context(f"mssim {name}", [], resilient_parsing=True)
    _, *usage = (re.sub(r"[{}]", "", piece).upper() for piece in command.collect_usage_pieces(context))
    words = " ".join(["mssim", name, *usage, "[OPTIONS]"])
    parts = [f"## mssim {name}\n", f"```text\n{words}\n```\n", *map(_paragraph, _help(command))]
    for kind, title in (("argument", "Arguments"), ("option", "Options")):
        records = [p.get_help_record(context) for p in command.params if p.param_type_name == kind]
        rows = "".join(_row(*record) for record in records if record is not None)
        if rows:
            parts.append(f"| {title} | |\n| --- | --- |\n{rows}")
    return "\n".join(parts)


def _help(command: typer.core.TyperCommand) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n")]


def _paragraph(text: str) -> str:
    """An example as a block of code below its title, other text as it is."""
    example = re.fullmatch(r"(Example[^:]*): (mssim .*)", text)
    return f"{example[1]}:\n\n```bash\n{_broken(example[2])}\n```\n" if example else f"{_escaped(text)}\n"


def _broken(command: str, width: int = 96) -> str:
    """A command in lines that end in a backslash."""
    lines = [""]
    for word in re.findall(r"--\S+(?: (?!--)\S+)?|\S+", command):
        if lines[-1] and len(lines[-1]) + len(word) > width:
            lines[-1] += " \\"
            lines.append(f"  {word}")
        else:
            lines[-1] = f"{lines[-1]} {word}".lstrip() if lines[-1].strip() else word
    return "\n".join(lines)


def _row(name: str, text: str) -> str:
    code = html.escape(re.sub(r"<(\w+)(?:\[\w+\])?>", r"<\1>", name.replace("list[str]", "str")))
    return f"| <code>{code.replace('|', '&#124;')}</code> | {_escaped(text)} |\n"


def _escaped(text: str) -> str:
    """Text of help in Markdown: what is between backquotes stays code, other signs stand for themselves."""
    pieces = re.split(r"(`[^`]*`)", text)
    plain = [re.sub(r"([\\*_\[\]|#])", r"\\\1", html.escape(piece, quote=False)) for piece in pieces[::2]]
    return "".join(a + b for a, b in zip(plain, [*(p.replace("|", "\\|") for p in pieces[1::2]), ""], strict=True))
