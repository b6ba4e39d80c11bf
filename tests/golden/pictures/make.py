"""Makes pictures.json.gz: small picture files of every kind that is served, with the pixels that Pillow gives for them.

Run: python make.py (needs pillow and numpy). A picture's reference is what transformers' loader would hand on: EXIF
orientation applied, alpha composited on white, CMYK converted without a profile, 16-bit samples cut to their upper half.
"""
import base64, gzip, io, json, os, struct, zlib
import numpy as np
from PIL import Image, ImageCms, ImageOps

W, H = 29, 18
rng = np.random.default_rng(7)


def scene(channels, top=256):
    """Gradients, an edge and some noise, so that turns and mirrorings show."""
    y, x = np.mgrid[0:H, 0:W]
    planes = [x * (top - 1) // (W - 1), y * (top - 1) // (H - 1), (x > 2 * y) * (top * 3 // 4), (x + y) * (top - 1) // (W + H - 2)]
    noise = rng.integers(0, top // 8, (H, W, channels))
    return np.clip(np.stack(planes[:channels], -1) + noise, 0, top - 1)


def chunk(kind, body):
    return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))


def png(samples, colour, depth, extra=b'', interlace=False):
    """A PNG written by hand: Pillow writes neither 16-bit colour nor interlaced files."""
    def rows(part):
        wide = part.astype('>u2' if depth == 16 else 'u1')
        return b''.join(b'\0' + row.tobytes() for row in wide)
    if interlace:
        steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        body = b''.join(rows(samples[y::dy, x::dx]) for x, y, dx, dy in steps)
    else:
        body = rows(samples)
    head = struct.pack('>IIBBBBB', samples.shape[1], samples.shape[0], depth, colour, 0, 0, int(interlace))
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + extra + chunk(b'IDAT', zlib.compress(body)) + chunk(b'IEND', b'')


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def on_white(image):
    rgba = image.convert('RGBA')
    return Image.alpha_composite(Image.new('RGBA', rgba.size, (255, 255, 255, 255)), rgba).convert('RGB')


def reference(file):
    image = Image.open(io.BytesIO(file))
    image.seek(0)
    image = ImageOps.exif_transpose(image)
    if image.mode == 'CMYK':
        return image.convert('RGB')
    return on_white(image)


cases = {}


def add(name, file, pixels=None):
    image = reference(file) if pixels is None else pixels
    array = np.asarray(image, dtype=np.uint8)
    cases[name] = {
        'file': base64.b64encode(file).decode(), 'width': array.shape[1], 'height': array.shape[0],
        'rgb': base64.b64encode(array.tobytes()).decode(),
    }


def add16(name, samples, colour, **options):
    high = (samples >> 8).astype(np.uint8)
    channels = high.shape[2]
    mode = {1: 'L', 2: 'LA', 3: 'RGB', 4: 'RGBA'}[channels]
    image = Image.fromarray(high[:, :, 0] if channels == 1 else high, mode)
    add(name, png(samples, colour, 16, **options), on_white(image))


rgb = Image.fromarray(scene(3).astype(np.uint8), 'RGB')
rgba = Image.fromarray(scene(4).astype(np.uint8), 'RGBA')
grey = Image.fromarray(scene(1)[:, :, 0].astype(np.uint8), 'L')
grey_alpha = Image.fromarray(scene(4)[:, :, [0, 3]].astype(np.uint8), 'LA')
palette = rgb.quantize(40)
srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()

add('PNG of 8-bit RGB', saved(rgb, 'PNG'))
add('PNG of 8-bit RGB with alpha', saved(rgba, 'PNG'))
add('PNG of 8-bit grey', saved(grey, 'PNG'))
add('PNG of 8-bit grey with alpha', saved(grey_alpha, 'PNG'))
add('PNG of one bit', saved(grey.convert('1'), 'PNG'))
add('PNG of a palette, 8 bits', saved(palette, 'PNG'))
add('PNG of a palette, 4 bits', saved(rgb.quantize(12), 'PNG', bits=4))
add('PNG of a palette, 1 bit', saved(rgb.quantize(2), 'PNG', bits=1))
add('PNG of a palette with alpha', saved(palette, 'PNG', transparency=bytes(i * 6 for i in range(40))))
add('PNG of a palette with one transparent colour', saved(palette, 'PNG', transparency=3))
add16('PNG of 16-bit RGB', scene(3, 65536), 2)
add16('PNG of 16-bit RGB with alpha', scene(4, 65536), 6)
add16('PNG of 16-bit grey', scene(1, 65536), 0)
add16('PNG of 16-bit grey with alpha', scene(4, 65536)[:, :, [0, 3]], 4)
add('PNG, interlaced', png(np.asarray(rgb), 2, 8, interlace=True))
add16('PNG, interlaced, of 16-bit RGB with alpha', scene(4, 65536), 6, interlace=True)
add('PNG with an orientation', saved(rgb, 'PNG', exif=exif(6)))
add('PNG with a colour profile', saved(rgb, 'PNG', icc_profile=srgb))
add('PNG with texts', png(np.asarray(rgb), 2, 8, chunk(b'tEXt', b'Comment\0<image>') + chunk(b'zTXt', b'a\0\0' + zlib.compress(b'x' * 999))))
add('PNG of one pixel', saved(rgb.crop((0, 0, 1, 1)), 'PNG'))
add('JPEG, 4:2:0', saved(rgb, 'JPEG', quality=90, subsampling=2))
add('JPEG, 4:4:4', saved(rgb, 'JPEG', quality=90, subsampling=0))
add('JPEG, progressive', saved(rgb, 'JPEG', quality=80, progressive=True))
add('JPEG of grey', saved(grey, 'JPEG', quality=80))
add('JPEG with restarts', saved(rgb, 'JPEG', quality=80, restart_marker_blocks=1))
add('JPEG with a colour profile', saved(rgb, 'JPEG', icc_profile=srgb))
add('JPEG of CMYK', saved(rgba.convert('RGB').convert('CMYK'), 'JPEG', quality=95))
inked = np.asarray(rgba).copy()
inked[:, :, 3] //= 2
add('JPEG of CMYK with black', saved(Image.fromarray(inked, 'CMYK'), 'JPEG', quality=95))
add('JPEG of CMYK, turned', saved(Image.fromarray(inked, 'CMYK'), 'JPEG', quality=95, exif=exif(8)))
for turn in range(1, 9):
    add(f'JPEG of orientation {turn}', saved(rgb, 'JPEG', quality=90, exif=exif(turn)))
add('JPEG with an orientation that is none', saved(rgb, 'JPEG', exif=exif(9)))
small = saved(rgb, 'JPEG', quality=90, subsampling=2)
frame = small.index(b'\xff\xc0') + 5
add('JPEG with less than its header says', small[:frame] + struct.pack('>HH', 64, 48) + small[frame + 4:])
add('WebP, lossy', saved(rgb, 'WEBP', quality=80))
add('WebP, lossless', saved(rgb, 'WEBP', lossless=True))
add('WebP, lossy with alpha', saved(rgba, 'WEBP', quality=80))
add('WebP, lossless with alpha', saved(rgba, 'WEBP', lossless=True, exact=True))
add('WebP with an orientation', saved(rgb, 'WEBP', lossless=True, exif=exif(5)))
add('WebP, animated', saved(rgb, 'WEBP', save_all=True, append_images=[ImageOps.invert(rgb)], lossless=True, duration=100))
add('GIF', saved(palette, 'GIF'))
add('GIF, interlaced', saved(palette, 'GIF', interlace=1))
add('GIF, animated', saved(palette, 'GIF', save_all=True, append_images=[ImageOps.invert(rgb).quantize(40)], duration=100))
add('GIF with a transparent colour', saved(palette, 'GIF', transparency=5))

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, 'pictures.json.gz'), 'wb') as out:
    out.write(gzip.compress(json.dumps(cases, indent=0).encode(), mtime=0))
print(len(cases), 'pictures')
