"""How the fuzz test breaks files: bytes flipped, cut and repeated, words of a text swapped for awkward ones."""

import random
from collections.abc import Callable

WORDS = [
     b"", b"0", b"-1", b"1", b"12", b"13", b"16", b"212", b"24", b"32", b"80", b"61", b"160", b"8", b"310", b"508",
    b"16x2", b"16+24", b"16+99999999999999", b"16:1", b"999", b"9" * 30, b"9" * 5000, b"-" + b"9" * 20, b"4294967296",
    b"9223372036854775807", b"1e400", b"1e-400", b"nan", b"inf", b"-inf", b"1_000", b"0x10", "\u00b2".encode(),
    "\u0665\u0660\u0660".encode(), b"500/1000(3)", b"500.5", b"1000", b"200(0)/uV", b"1000(-5)/mV", b"1e3/mV",
    b"-200/mV", b"1000(99999999)/mV", b"1000/mmHg", "1000/\u00b5V".encode(), b"1000/\xb5V", b"0/mV", b"0.001/V",
    b"1e-300/mV", b"../../../../etc/passwd", b"/etc/passwd", b"/dev/zero", b"r.hea", b".", b"~", b"-", b"a\x00b",
    b"#", b"I", b"avr", b"-aVR", b"vx", b"MDC_ECG_LEAD_I", b"\xff\xfe", b"'", b'"', b"{", b"{'NORM': 100.0", b"[" *
    3000, b"\x1c", "\u2028".encode(), b"True", b"1/2", b"r/2", b"NA", b"1,5", b"=1+1",
]  # fmt: skip


def break_bytes(rng: random.Random, content: bytes) -> bytes:
    """Flip, cut, insert, repeat or blank bytes, more often near the start, where the meaning is."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randrange(len(data) + 1) if rng.random() < 0.5 else rng.randrange(min(len(data), 200) + 1)
        length = rng.choice([1, 1, 2, 4, 8, 50])
        match rng.randrange(7):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(data):
                data[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
            case 2:
                del data[at:]
            case 3:
                del data[at : at + length]
            case 4:
                data[at:at] = rng.randbytes(length)
            case 5:
                data[at:at] = data[at : at + length]
            case 6:
                data[at : at + length] = rng.choice([b"\x00", b"\xff"]) * len(data[at : at + length])
    return bytes(data)


def break_text(separator: bytes) -> Callable[[random.Random, bytes], bytes]:
    """Return a function that swaps, replaces, drops or repeats the fields and lines of a text, or re-encodes it."""

    def of_text(rng: random.Random, content: bytes) -> bytes:
        if rng.random() < 0.25:
            return break_bytes(rng, content)
        lines = [line.split(separator) for line in content.split(b"\n")]
        for _ in range(rng.choice([1, 1, 1, 2, 5])):
            line, other = rng.choice(lines), rng.choice(lines)
            here, there = rng.randrange(len(line)), rng.randrange(len(other))
            match rng.randrange(8):
                case 0 | 1 | 2:
                    line[here] = rng.choice(WORDS)
                case 3:
                    line[here], other[there] = other[there], line[here]
                case 4 if len(line) > 1:
                    del line[here]
                case 5:
                    line.insert(here, rng.choice(WORDS))
                case 6:
                    lines.insert(rng.randrange(len(lines)), list(line))
                case 7 if len(lines) > 1:
                    lines.remove(line)
        text = rng.choice([b"\n"] * 12 + [b"\r\n", b"\r\n", b"\r", b"\n\n"]).join(map(separator.join, lines))
        how = rng.randrange(40)
        if how == 0:
            return text.decode("latin-1").encode("utf-16")
        return b"\xef\xbb\xbf" + text if how == 1 else text

    return of_text


# WFDB
