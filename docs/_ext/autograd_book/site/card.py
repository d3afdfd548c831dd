"""The picture that a shared link shows: title, promise and an onion, drawn at build."""

import io
import textwrap

from PIL import Image, ImageDraw, ImageFont

from autograd_book.html.fonts import FACES, source

SIZE = (1200, 630)
GROUND, INK, MUTED, RULE, BACK = "#fdfcf8", "#20242b", "#5c626d", "#878b94", "#a6430c"
FINE = 2  # drawn twice as large and scaled, so that circles are smooth


def card(title: str, claim: str) -> bytes:
    """Return a PNG; the same words give the same bytes."""
    picture = Image.new("RGB", [side * FINE for side in SIZE], GROUND)
    pen = ImageDraw.Draw(picture)
    for radius, low in ((190, 0), (141, 41), (92, 82)):
        _ring(pen, 930, 315 + low, radius, fill=_over(BACK, GROUND, 0.06 * (1 + low / 41)))
    _ring(pen, 930, 315 + 123, 43, fill=GROUND)
    pen.text((930 * FINE, 438 * FINE), "w", INK, _font("italic", 44), anchor="mm")
    pen.text((90 * FINE, 190 * FINE), title, INK, _font("text", 76), anchor="ls")
    lines = "\n".join(textwrap.wrap(claim, 38))
    pen.multiline_text(
        (92 * FINE, 250 * FINE), lines, MUTED, _font("italic", 36), spacing=16 * FINE
    )
    small = picture.resize(SIZE, Image.Resampling.LANCZOS)
    small = small.quantize(64, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _ring(pen: ImageDraw.ImageDraw, x: int, y: int, radius: int, fill: str) -> None:
    box = [FINE * v for v in (x - radius, y - radius, x + radius, y + radius)]
    pen.ellipse(box, fill, RULE, 2 * FINE)


def _over(top: str, ground: str, share: float) -> str:
    pair = zip(bytes.fromhex(top[1:]), bytes.fromhex(ground[1:]), strict=True)
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pair)


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    face = next(face for face in FACES if face.name == name)
    font = ImageFont.truetype(source(face.package, face.file), size * FINE)
    at = {b"Weight": 400, b"Optical Size": min(size, 60)}
    font.set_variation_by_axes([at[axis["name"]] for axis in font.get_variation_axes()])
    return font
