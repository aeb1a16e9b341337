"""Render the demo shop's product pictures with Blender's Python module.

An offline tool, never a dependency of the shop: the pictures are in the repository. To make them
again:

    python3.11 -m venv /tmp/blender && /tmp/blender/bin/pip install bpy==5.0.1 pillow
    /tmp/blender/bin/python bench/renders/render.py              # every picture that is missing
    /tmp/blender/bin/python bench/renders/render.py tide-mug     # those whose names start so, again
    /tmp/blender/bin/python bench/renders/render.py --draft ...  # small and grainy, into /tmp

A picture is a row of `PICTURES`: what is built, on which paper, how large the frame is. Lengths are
in units of about 25 cm; colours are linear RGB. A picture takes about 30 seconds on two cores, the
wide one two and a half minutes.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import bpy  # first: it makes bmesh and mathutils importable

# isort: split
import bmesh
from mathutils import Vector
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PRODUCTS = ROOT / "shop" / "demo_pictures"
SITE = ROOT / "static" / "img"

#: Pictures wider than this are also saved at half their width, for small screens.
HALVED_FROM = 1000

Colour = tuple[float, float, float]
Profile = Sequence[tuple[float, float]]

EMBER: Colour = (0.56, 0.105, 0.03)
PINE: Colour = (0.028, 0.085, 0.065)
INDIGO: Colour = (0.03, 0.055, 0.13)
OAT: Colour = (0.62, 0.52, 0.39)
CHALK: Colour = (0.74, 0.71, 0.65)
SAGE: Colour = (0.24, 0.30, 0.20)
CLAY: Colour = (0.42, 0.15, 0.075)
BRASS: Colour = (0.80, 0.53, 0.20)
OAK: Colour = (0.46, 0.27, 0.125)
WALNUT: Colour = (0.13, 0.062, 0.03)
LINEN: Colour = (0.66, 0.60, 0.51)
INK: Colour = (0.02, 0.022, 0.026)

PAPER_SAND: Colour = (0.72, 0.58, 0.42)
PAPER_SHELL: Colour = (0.77, 0.575, 0.43)
PAPER_MIST: Colour = (0.42, 0.54, 0.60)
PAPER_MOSS: Colour = (0.42, 0.50, 0.33)
PAPER_STONE: Colour = (0.66, 0.64, 0.60)
PAPER_HONEY: Colour = (0.76, 0.56, 0.26)


# Materials


def material(
    colour: Colour, *, roughness: float = 0.4, metallic: float = 0.0, coat: float = 0.0
) -> bpy.types.Material:
    made = bpy.data.materials.new("material")
    made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1)
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Metallic"].default_value = metallic
    shader.inputs["Coat Weight"].default_value = coat
    return made


def _mix_by_noise(
    made: bpy.types.Material,
    stretch: tuple[float, float, float],
    stops: Sequence[tuple[float, Colour]],
    *,
    scale: float,
    bump: float,
) -> None:
    """Colour a material by noise: position on the ramp to colour, and a little relief."""
    nodes, links = made.node_tree.nodes, made.node_tree.links
    shader = nodes["Principled BSDF"]
    coordinates = nodes.new("ShaderNodeTexCoord")
    mapping = nodes.new("ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = stretch
    noise = nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = scale
    noise.inputs["Detail"].default_value = 4
    ramp = nodes.new("ShaderNodeValToRGB")
    elements = ramp.color_ramp.elements
    while len(elements) < len(stops):
        elements.new(0.5)
    for element, (position, colour) in zip(elements, stops, strict=True):
        element.position, element.color = position, (*colour, 1)
    relief = nodes.new("ShaderNodeBump")
    relief.inputs["Strength"].default_value = bump
    relief.inputs["Distance"].default_value = 0.01
    links.new(coordinates.outputs["Object"], mapping.inputs["Vector"])
    links.new(mapping.outputs["Vector"], noise.inputs["Vector"])
    links.new(noise.outputs["Fac"], ramp.inputs["Fac"])
    links.new(noise.outputs["Fac"], relief.inputs["Height"])
    links.new(ramp.outputs["Color"], shader.inputs["Base Color"])
    links.new(relief.outputs["Normal"], shader.inputs["Normal"])


def _shade(colour: Colour, by: float) -> Colour:
    red, green, blue = (min(1.0, part * by) for part in colour)
    return red, green, blue


def glaze(colour: Colour, *, speckles: bool = True) -> bpy.types.Material:
    """Stoneware: a satin glaze with dark specks."""
    made = material(colour, roughness=0.3, coat=0.35)
    if speckles:
        stops = [(0.30, _shade(colour, 0.45)), (0.36, colour), (1.0, _shade(colour, 1.12))]
        _mix_by_noise(made, (1, 1, 1), stops, scale=34, bump=0.05)
    return made


def unglazed(colour: Colour) -> bpy.types.Material:
    made = material(colour, roughness=0.85)
    stops = [(0.35, _shade(colour, 0.8)), (0.65, _shade(colour, 1.1))]
    _mix_by_noise(made, (1, 1, 1), stops, scale=60, bump=0.25)
    return made


def wood(colour: Colour, *, grain: str = "x") -> bpy.types.Material:
    """Oiled wood whose grain runs along an axis."""
    made = material(colour, roughness=0.42)
    stretch = tuple(1.0 if axis == grain else 14.0 for axis in "xyz")
    stops = [(0.35, _shade(colour, 0.62)), (0.5, colour), (0.68, _shade(colour, 1.3))]
    _mix_by_noise(made, stretch, stops, scale=1.6, bump=0.12)
    return made


def brass() -> bpy.types.Material:
    return material(BRASS, roughness=0.27, metallic=1.0)


def glass(tint: Colour = (0.92, 0.98, 0.95)) -> bpy.types.Material:
    made = material(tint, roughness=0.02)
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Transmission Weight"].default_value = 1.0
    shader.inputs["IOR"].default_value = 1.45
    return made


def glow(colour: Colour, strength: float) -> bpy.types.Material:
    made = material(colour)
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Emission Color"].default_value = (*colour, 1)
    shader.inputs["Emission Strength"].default_value = strength
    return made


# Shapes


def _place(
    mesh: bpy.types.Mesh,
    made: bpy.types.Material,
    at: tuple[float, float, float] = (0, 0, 0),
    *,
    smooth: bool = True,
) -> bpy.types.Object:
    shape = bpy.data.objects.new("shape", mesh)
    shape.location = at
    bpy.context.collection.objects.link(shape)
    mesh.materials.append(made)
    for polygon in mesh.polygons:
        polygon.use_smooth = smooth
    return shape


def lathe(
    profile: Profile,
    made: bpy.types.Material,
    at: tuple[float, float, float] = (0, 0, 0),
    *,
    steps: int = 96,
) -> bpy.types.Object:
    """Turn a profile of (radius, height) round the upright axis. Softened by subdivision."""
    vertices = [
        (radius * math.cos(turn), radius * math.sin(turn), height)
        for turn in (2 * math.pi * step / steps for step in range(steps))
        for radius, height in profile
    ]
    size = len(profile)
    faces = [
        (step * size + k, after * size + k, after * size + k + 1, step * size + k + 1)
        for step, after in ((step, (step + 1) % steps) for step in range(steps))
        for k in range(size - 1)
    ]
    mesh = bpy.data.meshes.new("lathe")
    mesh.from_pydata(vertices, [], faces)
    work = bmesh.new()
    work.from_mesh(mesh)
    bmesh.ops.remove_doubles(work, verts=work.verts, dist=1e-5)
    bmesh.ops.recalc_face_normals(work, faces=work.faces)
    work.to_mesh(mesh)
    work.free()
    shape = _place(mesh, made, at)
    soften = shape.modifiers.new("soften", "SUBSURF")
    soften.levels = soften.render_levels = 2
    return shape


def block(
    size: tuple[float, float, float],
    made: bpy.types.Material,
    at: tuple[float, float, float],
    *,
    round_by: float = 0.015,
    turn: tuple[float, float, float] = (0, 0, 0),
) -> bpy.types.Object:
    """A box with rounded edges, standing on `at`."""
    bpy.ops.mesh.primitive_cube_add(size=1, location=(at[0], at[1], at[2] + size[2] / 2))
    shape = bpy.context.object
    shape.scale, shape.rotation_euler = size, turn
    bpy.ops.object.transform_apply(location=False, rotation=False, scale=True)
    shape.data.materials.append(made)
    edge = shape.modifiers.new("edge", "BEVEL")
    edge.width, edge.segments = round_by, 4
    for polygon in shape.data.polygons:
        polygon.use_smooth = True
    return shape


def rod(
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    made: bpy.types.Material,
    *,
    radius: float,
    end_radius: float | None = None,
) -> bpy.types.Object:
    along = Vector(end) - Vector(start)
    bpy.ops.mesh.primitive_cone_add(
        vertices=48,
        radius1=radius,
        radius2=radius if end_radius is None else end_radius,
        depth=along.length,
        location=(Vector(start) + Vector(end)) / 2,
    )
    shape = bpy.context.object
    shape.rotation_euler = along.to_track_quat("Z", "Y").to_euler()
    shape.data.materials.append(made)
    edge = shape.modifiers.new("edge", "BEVEL")
    edge.width, edge.segments, edge.limit_method = min(radius * 0.25, 0.02), 3, "ANGLE"
    for polygon in shape.data.polygons:
        polygon.use_smooth = True
    return shape


def ball(
    radius: float,
    made: bpy.types.Material,
    at: tuple[float, float, float],
    *,
    stretch: tuple[float, float, float] = (1, 1, 1),
    turn: tuple[float, float, float] = (0, 0, 0),
) -> bpy.types.Object:
    bpy.ops.mesh.primitive_uv_sphere_add(radius=radius, location=at, segments=48, ring_count=24)
    shape = bpy.context.object
    shape.scale, shape.rotation_euler = stretch, turn
    shape.data.materials.append(made)
    for polygon in shape.data.polygons:
        polygon.use_smooth = True
    return shape


def ring(
    large: float,
    small: float,
    made: bpy.types.Material,
    at: tuple[float, float, float],
    *,
    turn: tuple[float, float, float] = (math.pi / 2, 0, 0),
    stretch: tuple[float, float, float] = (1, 1, 1),
) -> bpy.types.Object:
    bpy.ops.mesh.primitive_torus_add(
        major_radius=large,
        minor_radius=small,
        location=at,
        rotation=turn,
        major_segments=96,
        minor_segments=24,
    )
    shape = bpy.context.object
    shape.scale = stretch
    shape.data.materials.append(made)
    for polygon in shape.data.polygons:
        polygon.use_smooth = True
    return shape


def light(
    kind: str,
    at: tuple[float, float, float],
    energy: float,
    colour: Colour,
    size: float,
    towards: tuple[float, float, float] = (0, 0, 0.5),
) -> None:
    lamp = bpy.data.lights.new("light", kind)
    lamp.energy, lamp.color = energy, colour
    if kind == "AREA":
        lamp.size = size
    elif kind == "SUN":
        lamp.angle = size
    else:
        lamp.shadow_soft_size = size
    placed = bpy.data.objects.new("light", lamp)
    placed.location = at
    placed.rotation_euler = (Vector(towards) - Vector(at)).to_track_quat("-Z", "Y").to_euler()
    bpy.context.collection.objects.link(placed)


def group(
    build: Callable[[], None],
    at: tuple[float, float, float],
    *,
    scale: float = 1.0,
    turn: float = 0.0,
) -> None:
    """Build something at the origin, then move, size and turn all of it together."""
    before = set(bpy.data.objects)
    build()
    handle = bpy.data.objects.new("group", None)
    bpy.context.collection.objects.link(handle)
    for shape in set(bpy.data.objects) - before - {handle}:
        shape.parent = handle
    handle.location, handle.scale, handle.rotation_euler = at, (scale,) * 3, (0, 0, turn)


# Things


def lamp(shade: Colour, at: tuple[float, float, float] = (0, 0, 0)) -> None:
    """The First Light lamp: a spun shade on a brass stem, with its number on the foot."""
    x, y, z = at
    metal = brass()
    enamel = material(shade, roughness=0.36, coat=0.25)
    lathe(
        [
            (0, 0),
            (0.4, 0),
            (0.44, 0.012),
            (0.44, 0.05),
            (0.42, 0.068),
            (0.06, 0.085),
            (0.03, 0.12),
            (0.026, 0.2),
            (0.026, 1.3),
            (0, 1.3),
        ],
        metal,
        at,
    )
    lathe(
        [
            (0.03, 1.4),
            (0.1, 1.395),
            (0.3, 1.33),
            (0.5, 1.17),
            (0.62, 0.95),
            (0.645, 0.86),
            (0.635, 0.855),
            (0.605, 0.945),
            (0.485, 1.155),
            (0.29, 1.31),
            (0.1, 1.375),
            (0.03, 1.38),
        ],
        enamel,
        at,
    )
    lathe(
        [
            (0, 1.37),
            (0.05, 1.37),
            (0.055, 1.40),
            (0.05, 1.43),
            (0.02, 1.44),
            (0.025, 1.49),
            (0, 1.50),
        ],
        metal,
        at,
    )
    ball(0.11, glow((1.0, 0.72, 0.42), 9), (x, y, z + 1.02))
    light("POINT", (x, y, z + 1.02), 16, (1.0, 0.74, 0.46), 0.11)


def lamp_foot(shade: Colour) -> None:
    """The lamp from near: the foot with its numbered plate."""
    lamp(shade)
    block((0.17, 0.012, 0.05), material(INK, roughness=0.5), (0, -0.4385, 0.006), round_by=0.004)
    bpy.ops.object.text_add(location=(0, -0.4458, 0.031), rotation=(math.pi / 2, 0, 0))
    words = bpy.context.object
    words.data.body = "017 / 100"
    words.data.size, words.data.extrude = 0.036, 0.001
    words.data.align_x, words.data.align_y = "CENTER", "CENTER"
    words.data.materials.append(brass())


def mug(colour: Colour, at: tuple[float, float, float] = (0, 0, 0)) -> None:
    skin = glaze(colour)
    lathe(
        [
            (0, 0.012),
            (0.36, 0.012),
            (0.38, 0),
            (0.42, 0),
            (0.46, 0.03),
            (0.49, 0.12),
            (0.5, 0.4),
            (0.49, 0.86),
            (0.487, 0.9),
            (0.465, 0.905),
            (0.455, 0.86),
            (0.46, 0.4),
            (0.44, 0.12),
            (0.38, 0.06),
            (0, 0.05),
        ],
        skin,
        at,
    )
    x, y, z = at
    ring(0.25, 0.052, skin, (x + 0.53, y, z + 0.47), stretch=(0.82, 1.05, 1.15))
    lathe(
        [(0, 0.80), (0.44, 0.80), (0.455, 0.803)],
        material((0.035, 0.012, 0.005), roughness=0.08),
        at,
    )


def vase(colour: Colour, at: tuple[float, float, float] = (0, 0, 0), *, stems: bool = True) -> None:
    lathe(
        [
            (0, 0),
            (0.24, 0),
            (0.29, 0.03),
            (0.4, 0.22),
            (0.44, 0.45),
            (0.38, 0.7),
            (0.22, 0.9),
            (0.125, 1.02),
            (0.115, 1.16),
            (0.15, 1.26),
            (0.165, 1.285),
            (0.145, 1.285),
            (0.1, 1.16),
            (0.11, 1.02),
            (0.2, 0.88),
            (0.35, 0.69),
            (0.4, 0.45),
            (0.27, 0.1),
            (0, 0.06),
        ],
        glaze(colour),
        at,
    )
    if not stems:
        return
    x, y, z = at
    stalk = material((0.30, 0.21, 0.09), roughness=0.8)
    seed = material((0.55, 0.38, 0.17), roughness=0.9)
    for lean_x, lean_y, tall in ((-0.34, 0.05, 0.62), (-0.08, -0.10, 0.78), (0.22, 0.02, 0.68)):
        tip = (x + lean_x, y + lean_y, z + 1.25 + tall)
        rod((x, y, z + 0.9), tip, stalk, radius=0.009, end_radius=0.006)
        along = (Vector(tip) - Vector((x, y, z + 0.9))).normalized()
        turn = along.to_track_quat("Z", "Y").to_euler()
        for k in range(7):
            spot = Vector(tip) + along * (0.045 * k - 0.2)
            for side in (-1, 1):
                off = Vector((0.022 * side, 0.012 * side, 0))
                ball(0.022, seed, tuple(spot + off), stretch=(0.7, 0.7, 1.7), turn=tuple(turn))


def carafe() -> None:
    lathe(
        [
            (0, 0),
            (0.33, 0),
            (0.37, 0.03),
            (0.38, 0.12),
            (0.36, 0.55),
            (0.29, 0.8),
            (0.165, 1.02),
            (0.15, 1.16),
            (0.185, 1.29),
            (0.18, 1.3),
            (0.165, 1.295),
            (0.132, 1.16),
            (0.148, 1.02),
            (0.27, 0.79),
            (0.34, 0.54),
            (0.355, 0.12),
            (0.33, 0.06),
            (0, 0.055),
        ],
        glass(),
    )
    lathe(
        [(0, 0.062), (0.325, 0.062), (0.35, 0.12), (0.337, 0.50), (0, 0.50)],
        glass((0.75, 0.90, 0.92)),
    )
    ball(0.185, wood(OAK, grain="z"), (0, 0, 1.42))
    rod((0, 0, 1.18), (0, 0, 1.32), wood(OAK, grain="z"), radius=0.13, end_radius=0.138)


def bowl(colour: Colour, at: tuple[float, float, float] = (0, 0, 0)) -> None:
    lathe(
        [
            (0, 0.03),
            (0.24, 0.03),
            (0.25, 0),
            (0.29, 0),
            (0.31, 0.05),
            (0.52, 0.2),
            (0.68, 0.42),
            (0.71, 0.54),
            (0.7, 0.555),
            (0.68, 0.545),
            (0.64, 0.43),
            (0.48, 0.23),
            (0.28, 0.1),
            (0, 0.075),
        ],
        glaze(colour),
        at,
    )


def bowls(inner: Colour, outer: Colour) -> None:
    """A nest of three."""
    bowl(outer)
    for scale, lift, colour in ((0.86, 0.15, inner), (0.72, 0.29, outer)):
        group(partial(bowl, colour), (0, 0, lift), scale=scale)


def candle_holders() -> None:
    metal, wax = brass(), material((0.80, 0.70, 0.55), roughness=0.5)
    for x, y, tall in ((-0.34, 0.1, 0.72), (0.02, -0.12, 0.40), (0.38, 0.14, 0.54)):
        lathe(
            [
                (0, 0),
                (0.17, 0),
                (0.19, 0.012),
                (0.185, 0.035),
                (0.06, 0.06),
                (0.03, 0.1),
                (0.028, tall - 0.09),
                (0.06, tall - 0.05),
                (0.075, tall - 0.02),
                (0.075, tall),
                (0.062, tall),
                (0.06, tall - 0.03),
                (0, tall - 0.03),
            ],
            metal,
            (x, y, 0),
        )
        rod((x, y, tall - 0.03), (x, y, tall + 0.62), wax, radius=0.052, end_radius=0.042)
        rod((x, y, tall + 0.61), (x, y, tall + 0.65), material(INK), radius=0.006)
        ball(0.028, glow((1.0, 0.55, 0.18), 22), (x, y, tall + 0.70), stretch=(0.75, 0.75, 2.0))
        light("POINT", (x, y, tall + 0.70), 2.2, (1.0, 0.66, 0.34), 0.03)


def pen_pot(colour: Colour) -> None:
    lathe(
        [
            (0, 0.0),
            (0.33, 0.0),
            (0.35, 0.03),
            (0.35, 0.8),
            (0.34, 0.82),
            (0.315, 0.82),
            (0.3, 0.8),
            (0.3, 0.08),
            (0, 0.06),
        ],
        unglazed(colour),
    )
    ring(0.351, 0.012, brass(), (0, 0, 0.13), turn=(0, 0, 0))
    for lean_x, lean_y, tall, paint in (
        (-0.22, 0.12, 1.32, INDIGO),
        (0.20, 0.10, 1.42, (0.75, 0.45, 0.06)),
        (0.10, -0.18, 1.22, LINEN),
        (-0.05, 0.2, 1.5, EMBER),
    ):
        foot, tip = (-lean_x * 0.7, -lean_y * 0.7, 0.1), (lean_x * 1.25, lean_y * 1.25, tall)
        along = (Vector(tip) - Vector(foot)).normalized()
        rod(foot, tip, material(paint, roughness=0.4, coat=0.3), radius=0.032)
        point = tuple(Vector(tip) + along * 0.11)
        rod(tip, point, material((0.72, 0.50, 0.28), roughness=0.7), radius=0.031, end_radius=0.006)


def desk_tray(colour: Colour) -> None:
    timber = wood(colour, grain="x")
    block((1.9, 0.95, 0.05), timber, (0, 0, 0), round_by=0.02)
    for y in (-0.455, 0.455):
        block((1.9, 0.045, 0.16), timber, (0, y, 0), round_by=0.018)
    for x in (-0.93, 0.93):
        block((0.045, 0.95, 0.16), timber, (x, 0, 0), round_by=0.018)
    block((0.04, 0.88, 0.12), timber, (0.25, 0, 0.02), round_by=0.012)
    block(
        (0.72, 0.52, 0.075), material(PINE, roughness=0.7), (-0.42, 0.08, 0.05), turn=(0, 0, 0.08)
    )
    block(
        (0.70, 0.50, 0.055),
        material(LINEN, roughness=0.8),
        (-0.40, 0.07, 0.127),
        turn=(0, 0, -0.03),
    )
    rod((-0.72, -0.28, 0.085), (0.02, -0.30, 0.085), brass(), radius=0.028)
    ring(0.13, 0.018, brass(), (0.58, 0.16, 0.07), turn=(0, 0, 0))
    ring(0.09, 0.014, brass(), (0.66, -0.10, 0.066), turn=(0, 0, 0))
    ball(0.085, glaze(CHALK), (0.48, -0.22, 0.12), stretch=(1.2, 1, 0.8))


def bookends() -> None:
    stone = unglazed((0.55, 0.52, 0.48))
    for x, turn in ((-0.66, 1), (0.62, -1)):
        bpy.ops.mesh.primitive_cylinder_add(
            vertices=128,
            radius=0.52,
            depth=0.26,
            location=(x, 0, 0.5),
            rotation=(0, math.pi / 2, 0),
        )
        disc = bpy.context.object
        disc.data.materials.append(stone)
        edge = disc.modifiers.new("edge", "BEVEL")
        edge.width, edge.segments, edge.limit_method = 0.02, 4, "ANGLE"
        block((0.20, 0.62, 0.05), brass(), (x + 0.02 * turn, 0, 0), round_by=0.012)
    spines = (
        (0.15, 0.86, INDIGO),
        (0.11, 0.78, LINEN),
        (0.19, 0.92, CLAY),
        (0.10, 0.74, CHALK),
        (0.16, 0.83, SAGE),
        (0.13, 0.88, PINE),
        (0.14, 0.76, (0.70, 0.42, 0.08)),
    )
    x = -0.52
    for thick, tall, cloth in spines:
        block(
            (thick - 0.006, 0.62, tall), material(cloth, roughness=0.85), (x + thick / 2, 0, 0.005)
        )
        pages = material((0.80, 0.76, 0.68), roughness=0.95)
        block(
            (thick - 0.05, 0.60, tall - 0.05), pages, (x + thick / 2, 0.012, 0.045), round_by=0.004
        )
        x += thick


def wall_clock(face: Colour) -> None:
    """Leaning where a shelf would be; the rim is oak."""

    def upright(shape: bpy.types.Object) -> None:
        shape.rotation_euler = (math.pi / 2 - 0.10, 0, 0)
        shape.location = (0, 0, 0.72)

    upright(
        lathe(
            [
                (0, -0.04),
                (0.70, -0.04),
                (0.72, 0),
                (0.72, 0.10),
                (0.70, 0.12),
                (0.665, 0.12),
                (0.655, 0.06),
                (0.6, 0.055),
                (0, 0.055),
            ],
            wood(OAK, grain="x"),
        )
    )
    upright(
        lathe(
            [(0, 0.058), (0.65, 0.058), (0.655, 0.062), (0.65, 0.066), (0, 0.066)],
            material(face, roughness=0.7),
        )
    )
    metal, dark = brass(), material(INK, roughness=0.5)
    tilt = Vector((0, 0, 1)).to_track_quat("Z", "Y").to_matrix()
    tilt.rotate(bpy.data.objects[-1].rotation_euler)

    def on_face(radius: float, clock: float, lift: float) -> tuple[float, float, float]:
        turn = math.pi / 2 - 2 * math.pi * clock / 12
        point = tilt @ Vector((radius * math.cos(turn), radius * math.sin(turn), lift))
        return tuple(point + Vector((0, 0, 0.72)))

    for hour in range(12):
        inner = 0.50 if hour % 3 else 0.46
        rod(on_face(inner, hour, 0.07), on_face(0.58, hour, 0.07), metal, radius=0.011)
    rod(
        on_face(-0.07, 10.15, 0.085),
        on_face(0.34, 10.15, 0.085),
        dark,
        radius=0.02,
        end_radius=0.013,
    )
    rod(on_face(-0.09, 1.9, 0.095), on_face(0.50, 1.9, 0.095), dark, radius=0.016, end_radius=0.009)
    ball(0.034, metal, on_face(0, 0, 0.1))


def stool(colour: Colour) -> None:
    legs = wood(colour, grain="z")
    lathe(
        [
            (0, 1.16),
            (0.44, 1.16),
            (0.50, 1.19),
            (0.53, 1.235),
            (0.52, 1.27),
            (0.48, 1.285),
            (0.25, 1.272),
            (0, 1.262),
        ],
        wood(colour, grain="x"),
    )
    feet = []
    for k in range(3):
        turn = 2 * math.pi * k / 3 - math.pi / 2 + 0.35
        top = (0.27 * math.cos(turn), 0.27 * math.sin(turn), 1.18)
        foot = (0.55 * math.cos(turn), 0.55 * math.sin(turn), 0)
        rod(foot, top, legs, radius=0.036, end_radius=0.052)
        feet.append(Vector(foot) * 0.62 + Vector(top) * 0.38)
    for k in range(3):
        rod(tuple(feet[k]), tuple(feet[(k + 1) % 3]), legs, radius=0.022)


def planter(colour: Colour) -> None:
    lathe(
        [
            (0, 0.06),
            (0.30, 0.06),
            (0.34, 0.07),
            (0.44, 0.66),
            (0.45, 0.70),
            (0.43, 0.71),
            (0.405, 0.70),
            (0.39, 0.6),
            (0, 0.58),
        ],
        unglazed(colour),
    )
    lathe(
        [(0, 0), (0.40, 0), (0.43, 0.02), (0.45, 0.09), (0.435, 0.095), (0.41, 0.05), (0, 0.045)],
        unglazed(colour),
    )
    lathe([(0, 0.63), (0.38, 0.625), (0.40, 0.62)], unglazed((0.045, 0.03, 0.02)))
    leaf = material((0.055, 0.16, 0.06), roughness=0.38)
    for circle, (count, lean, length) in enumerate(
        ((7, 0.95, 0.40), (6, 0.62, 0.46), (5, 0.30, 0.50), (1, 0.0, 0.42))
    ):
        for k in range(count):
            turn = 2 * math.pi * k / count + circle * 0.5
            out = Vector(
                (math.cos(turn) * math.sin(lean), math.sin(turn) * math.sin(lean), math.cos(lean))
            )
            middle = Vector((0, 0, 0.62)) + out * length * 0.62
            turned = out.to_track_quat("Z", "Y").to_euler()
            ball(length * 0.6, leaf, tuple(middle), stretch=(0.30, 0.13, 1.0), turn=tuple(turned))


def throw_pot(colour: Colour) -> None:
    """A teapot: the body and its lid are turned, the spout and the handle are bent."""
    skin = glaze(colour)
    lathe(
        [
            (0, 0.01),
            (0.30, 0.01),
            (0.32, 0),
            (0.36, 0.01),
            (0.50, 0.18),
            (0.55, 0.38),
            (0.48, 0.60),
            (0.28, 0.72),
            (0.24, 0.735),
            (0, 0.74),
        ],
        skin,
    )
    lathe(
        [
            (0, 0.745),
            (0.235, 0.745),
            (0.245, 0.755),
            (0.20, 0.79),
            (0.06, 0.815),
            (0.035, 0.84),
            (0.06, 0.89),
            (0.045, 0.92),
            (0, 0.925),
        ],
        skin,
    )
    rod((-0.42, 0, 0.36), (-0.84, 0, 0.70), skin, radius=0.12, end_radius=0.055)
    metal = brass()
    ring(0.46, 0.026, metal, (0, 0, 0.72), stretch=(1, 1.05, 1))


def dawn() -> None:
    """The wide picture of the home page: the lamp on a shelf, low sun through a window."""
    timber = wood(OAK, grain="x")
    block((9, 2.6, 0.12), timber, (0, 0.2, -0.12), round_by=0.02)
    block((12, 0.1, 9), material((0.52, 0.50, 0.43), roughness=0.95), (0, 1.3, -2), round_by=0.01)
    group(partial(lamp, EMBER), (1.05, 0.05, 0), scale=1.42)
    group(partial(vase, CHALK), (2.25, 0.4, 0), scale=0.95)
    for tall, cloth, width in ((0.0, PINE, 0.86), (0.12, LINEN, 0.78), (0.22, CLAY, 0.72)):
        block(
            (width, 0.6, 0.11),
            material(cloth, roughness=0.85),
            (-0.4, 0.2, tall),
            turn=(0, 0, tall),
        )
    group(partial(mug, INDIGO), (-0.4, 0.15, 0.33), scale=0.46, turn=0.5)
    sun_at = Vector((-5.2, -6.0, 4.4))
    light("SUN", tuple(sun_at), 5.2, (1.0, 0.74, 0.48), 0.012, towards=(0.6, 1.2, 0.9))
    towards = (Vector((0.6, 1.2, 0.9)) - sun_at).normalized()
    frame = material(INK)
    middle = Vector((0.2, 1.2, 1.25)) - towards * 6
    side = towards.cross(Vector((0, 0, 1))).normalized()
    up = side.cross(towards).normalized()

    def bar(
        across: float, height: float, to_across: float, to_height: float, radius: float
    ) -> None:
        start = middle + side * across + up * height
        end = middle + side * to_across + up * to_height
        rod(tuple(start), tuple(end), frame, radius=radius)

    for across in (-1.15, 0.05, 1.25):
        bar(across, -3, across, 3, 0.06)
    for height in (-0.75, 0.55):
        bar(-4, height, 4, height, 0.05)
    bar(-4.6, -4, -4.6, 4, 2.0)
    bar(-6, 3.6, 6, 3.6, 1.9)
    light("AREA", (0, -4.5, 4.0), 120, (0.75, 0.86, 1.0), 5, towards=(0, 0, 0.6))


# Scenes


def paper_sweep(colour: Colour) -> None:
    """Paper that runs from the table up the wall, and three lights."""
    bend = [i * math.pi / 24 for i in range(1, 13)]
    line = [(-9.0, 0.0), (2.0, 0.0)]
    line += [(2.0 + 1.6 * math.sin(turn), 1.6 - 1.6 * math.cos(turn)) for turn in bend] + [
        (3.6, 9.0)
    ]
    vertices = [(x, y, z) for y, z in line for x in (-14, 14)]
    faces = [(2 * k, 2 * k + 1, 2 * k + 3, 2 * k + 2) for k in range(len(line) - 1)]
    mesh = bpy.data.meshes.new("paper")
    mesh.from_pydata(vertices, [], faces)
    _place(mesh, material(colour, roughness=0.95))
    light("AREA", (-3, -3, 4.2), 300, (1.0, 0.95, 0.88), 2.2)
    light("AREA", (3.5, -2, 2.6), 80, (0.85, 0.92, 1.0), 2.0)
    light("AREA", (0, 1.8, 4.8), 150, (1.0, 0.98, 0.95), 1.6)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What is in a picture. `frame` is the height it shows, `middle` the height it looks at."""

    build: Callable[[], None]
    paper: Colour | None = PAPER_STONE
    frame: float = 2.3
    middle: float = 0.6
    look_from: tuple[float, float, float] = (0.9, -5.2, 1.7)
    aside: float = 0.0
    exposure: float = -0.3
    size: tuple[int, int] = (800, 800)
    samples: int = 20
    folder: Path = PRODUCTS


PICTURES: dict[str, Picture] = {
    "first-light-lamp-ember": Picture(
        build=lambda: lamp(EMBER), paper=PAPER_SHELL, frame=2.35, middle=0.74
    ),
    "tide-mug-indigo": Picture(
        build=lambda: mug(INDIGO), paper=PAPER_MIST, frame=1.95, middle=0.43, aside=0.12
    ),
    "long-neck-vase-chalk": Picture(
        build=lambda: vase(CHALK), paper=PAPER_MOSS, frame=2.6, middle=0.98
    ),
    "still-carafe": Picture(build=carafe, paper=PAPER_MIST, frame=2.3, middle=0.74),
    "first-light": Picture(
        build=dawn,
        paper=None,
        frame=3.1,
        middle=1.16,
        look_from=(0.0, -6.0, 0.75),
        size=(1600, 900),
        samples=32,
        folder=SITE,
    ),
    "harbour-bowls": Picture(
        build=lambda: bowls(CHALK, SAGE),
        paper=PAPER_SAND,
        frame=2.2,
        middle=0.42,
        look_from=(0.9, -4.8, 2.5),
    ),
    "evening-candle-holders": Picture(
        build=candle_holders, paper=PAPER_SHELL, frame=1.95, middle=0.68
    ),
    "quarry-pen-pot-clay": Picture(
        build=lambda: pen_pot(CLAY), paper=PAPER_STONE, frame=2.3, middle=0.74
    ),
    "ledger-desk-tray-walnut": Picture(
        build=lambda: desk_tray(WALNUT),
        paper=PAPER_SAND,
        frame=2.6,
        middle=0.1,
        look_from=(1.2, -4.6, 3.4),
    ),
    "two-moons-bookends": Picture(build=bookends, paper=PAPER_MIST, frame=2.3, middle=0.46),
    "noon-wall-clock": Picture(
        build=lambda: wall_clock(CHALK),
        paper=PAPER_MOSS,
        frame=2.2,
        middle=0.72,
        look_from=(0.5, -5.4, 0.9),
    ),
    "milking-stool-oak": Picture(
        build=lambda: stool(OAK), paper=PAPER_STONE, frame=2.0, middle=0.62
    ),
    "sill-planter-clay": Picture(
        build=lambda: planter(CLAY), paper=PAPER_MOSS, frame=2.0, middle=0.56
    ),
    "first-light-lamp-foot": Picture(
        build=lambda: lamp_foot(EMBER),
        paper=PAPER_SHELL,
        frame=0.7,
        middle=0.05,
        aside=-0.05,
        look_from=(0.9, -5.2, 1.15),
    ),
    "tide-mug-oat": Picture(
        build=lambda: mug(OAT), paper=PAPER_SAND, frame=1.95, middle=0.43, aside=0.12
    ),
    "tide-mug-ember": Picture(
        build=lambda: mug(EMBER), paper=PAPER_SHELL, frame=1.95, middle=0.43, aside=0.12
    ),
    "hearth-teapot-pine": Picture(
        build=lambda: throw_pot(PINE), paper=PAPER_HONEY, frame=2.1, middle=0.5
    ),
    "long-neck-vase-sage": Picture(
        build=lambda: vase(SAGE, stems=False), paper=PAPER_SAND, frame=2.1, middle=0.62
    ),
    "ledger-desk-tray-oak": Picture(
        build=lambda: desk_tray(OAK),
        paper=PAPER_MIST,
        frame=2.6,
        middle=0.1,
        look_from=(1.2, -4.6, 3.4),
    ),
    "sill-planter-chalk": Picture(
        build=lambda: planter(CHALK), paper=PAPER_SHELL, frame=2.0, middle=0.56
    ),
    "milking-stool-walnut": Picture(
        build=lambda: stool(WALNUT), paper=PAPER_SHELL, frame=2.0, middle=0.62
    ),
    "hearth-teapot-oat": Picture(
        build=lambda: throw_pot(OAT), paper=PAPER_MOSS, frame=2.1, middle=0.5
    ),
}


def render(picture: Picture, file: Path, *, draft: bool) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    stage = bpy.context.scene
    stage.render.engine = "CYCLES"
    stage.cycles.device = "CPU"
    stage.cycles.samples = 8 if draft else picture.samples
    stage.cycles.use_denoising = True
    stage.cycles.caustics_reflective = stage.cycles.caustics_refractive = False
    stage.cycles.max_bounces = 8
    stage.view_settings.view_transform = "AgX"
    stage.view_settings.look = "AgX - Medium High Contrast"
    stage.view_settings.exposure = picture.exposure
    width, height = picture.size
    stage.render.resolution_x, stage.render.resolution_y = width, height
    stage.render.resolution_percentage = 30 if draft else 100

    stage.world = bpy.data.worlds.new("world")
    stage.world.use_nodes = True
    sky = stage.world.node_tree.nodes["Background"]
    sky.inputs[0].default_value = (0.9, 0.93, 1, 1)
    sky.inputs[1].default_value = 0.38
    if picture.paper:
        paper_sweep(picture.paper)
    picture.build()

    target = Vector((picture.aside, 0, picture.middle))
    direction = Vector(picture.look_from).normalized()
    camera = bpy.data.cameras.new("camera")
    camera.lens = 70
    seat = bpy.data.objects.new("camera", camera)
    seat.location = target + direction * (picture.frame * 70 / 36) * max(1.0, width / height)
    seat.rotation_euler = (-direction).to_track_quat("-Z", "Y").to_euler()
    bpy.context.collection.objects.link(seat)
    stage.camera = seat

    with tempfile.TemporaryDirectory() as folder:
        stage.render.filepath = str(Path(folder) / "picture.png")
        bpy.ops.render.render(write_still=True)
        made = Image.open(stage.render.filepath).convert("RGB")
        made.save(file, quality=82, method=6)
        if width > HALVED_FROM:
            half = made.resize((width // 2, height // 2), Image.Resampling.LANCZOS)
            half.save(file.with_stem(f"{file.stem}-{width // 2}"), quality=82, method=6)


def main(pictures: dict[str, Picture]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="how the names of the pictures start")
    parser.add_argument("--draft", action="store_true", help="small and grainy, into /tmp")
    asked = parser.parse_args()
    for name, picture in pictures.items():
        folder = Path(tempfile.gettempdir()) if asked.draft else picture.folder
        file = folder / f"{name}.webp"
        wanted = any(name.startswith(start) for start in asked.names)
        if wanted or (not asked.names and (asked.draft or not file.exists())):
            started = time.monotonic()
            render(picture, file, draft=asked.draft)
            print(f"{file} {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(PICTURES)
