"""The pictures of the second half of the demo's catalogue. How they are made: see `render.py`.

/tmp/blender/bin/python bench/renders/household.py           # every picture that is missing
"""

import math

# isort: split
from mathutils import Vector
from render import (
    CHALK,
    CLAY,
    EMBER,
    INDIGO,
    INK,
    LINEN,
    OAK,
    OAT,
    PAPER_HONEY,
    PAPER_MIST,
    PAPER_MOSS,
    PAPER_SAND,
    PAPER_SHELL,
    PAPER_STONE,
    PINE,
    SAGE,
    WALNUT,
    Colour,
    Picture,
    ball,
    block,
    brass,
    glass,
    glaze,
    glow,
    lathe,
    light,
    main,
    material,
    ring,
    rod,
    unglazed,
    wood,
)

Point = tuple[float, float, float]


def pendant(shade: Colour) -> None:
    metal, cord = brass(), material(INK, roughness=0.8)
    enamel = material(shade, roughness=0.34, coat=0.3)
    lathe(
        [
            (0.05, 1.18), (0.12, 1.17), (0.34, 1.06), (0.58, 0.84), (0.74, 0.56), (0.79, 0.40),
            (0.775, 0.395), (0.725, 0.55), (0.565, 0.825), (0.33, 1.04), (0.11, 1.15), (0.05, 1.16),
        ],
        enamel,
    )  # fmt: skip
    lathe([(0, 1.15), (0.06, 1.15), (0.075, 1.19), (0.06, 1.30), (0.02, 1.33), (0, 1.33)], metal)
    rod((0, 0, 1.3), (0, 0, 4), cord, radius=0.014)
    ball(0.15, glow((1.0, 0.74, 0.45), 8), (0, 0, 0.62))
    light("POINT", (0, 0, 0.6), 18, (1.0, 0.76, 0.5), 0.15)


def desk_lamp(shade: Colour) -> None:
    metal = brass()
    lathe([(0, 0), (0.36, 0), (0.38, 0.02), (0.38, 0.06), (0.36, 0.08), (0, 0.085)], metal)
    rod((0.1, 0, 0.07), (0.42, 0, 1.05), metal, radius=0.022)
    ball(0.045, metal, (0.42, 0, 1.05))
    rod((0.42, 0, 1.05), (-0.32, 0, 1.52), metal, radius=0.02)
    ball(0.04, metal, (-0.32, 0, 1.52))
    rod((-0.5, 0, 1.24), (-0.30, 0, 1.56), material(shade, roughness=0.36, coat=0.25),
        radius=0.27, end_radius=0.09)  # fmt: skip
    ball(0.10, glow((1.0, 0.78, 0.5), 8), (-0.5, 0, 1.24))
    light("POINT", (-0.55, 0, 1.12), 14, (1.0, 0.78, 0.5), 0.1)


def tea_lights() -> None:
    for (x, y), colour in zip(((-0.5, 0.1), (0.08, -0.28), (0.55, 0.22)), (CHALK, CLAY, SAGE), strict=True):  # fmt: skip
        lathe(
            [(0, 0), (0.2, 0), (0.25, 0.03), (0.28, 0.14), (0.26, 0.30), (0.24, 0.305), (0.25, 0.14), (0.2, 0.09), (0, 0.08)],
            glaze(colour),
            (x, y, 0),
        )  # fmt: skip
        lathe([(0, 0.2), (0.15, 0.2), (0.16, 0.19), (0.16, 0.08)], material(CHALK), (x, y, 0))
        ball(0.028, glow((1.0, 0.6, 0.2), 30), (x, y, 0.27), stretch=(1, 1, 2.1))
        light("POINT", (x, y, 0.32), 3, (1.0, 0.65, 0.3), 0.03)


def jug(colour: Colour) -> None:
    skin = glaze(colour)
    lathe(
        [
            (0, 0), (0.28, 0), (0.33, 0.03), (0.42, 0.28), (0.43, 0.46), (0.34, 0.78), (0.28, 0.98),
            (0.31, 1.16), (0.335, 1.2), (0.315, 1.205), (0.26, 0.98), (0.32, 0.77), (0.4, 0.46), (0.3, 0.08), (0, 0.06),
        ],
        skin,
    )  # fmt: skip
    rod((-0.2, 0, 1.0), (-0.46, 0, 1.2), skin, radius=0.12, end_radius=0.05)
    ring(0.27, 0.045, skin, (0.42, 0, 0.78), stretch=(0.75, 1.05, 1.2))


def plates(colours: tuple[Colour, ...]) -> None:
    for step, colour in enumerate(colours):
        z = 0.062 * step
        lathe(
            [(0, z + 0.02), (0.42, z + 0.02), (0.45, z), (0.48, z + 0.02), (0.72, z + 0.085), (0.75, z + 0.105),
             (0.735, z + 0.12), (0.68, z + 0.10), (0.48, z + 0.045), (0, z + 0.04)],
            glaze(colour),
            (0.03 * (step % 2), 0.02 * (step % 3), 0),
        )  # fmt: skip


def egg_cups() -> None:
    shell = material((0.70, 0.47, 0.32), roughness=0.55)
    for (x, y), colour in zip(((-0.52, 0.05), (0.05, -0.25), (0.55, 0.15)), (OAT, INDIGO, SAGE), strict=True):  # fmt: skip
        lathe(
            [(0, 0), (0.19, 0), (0.21, 0.02), (0.15, 0.06), (0.09, 0.13), (0.10, 0.19), (0.2, 0.28), (0.24, 0.42),
             (0.225, 0.425), (0.18, 0.3), (0, 0.2)],
            glaze(colour),
            (x, y, 0),
        )  # fmt: skip
        ball(0.2, shell, (x, y, 0.48), stretch=(1, 1, 1.28))


def coasters() -> None:
    cork = unglazed((0.46, 0.29, 0.16))
    rim = wood(WALNUT)
    for step in range(3):
        lathe([(0, 0), (0.4, 0), (0.42, 0.01), (0.42, 0.05), (0.4, 0.06), (0.37, 0.06), (0.36, 0.05), (0, 0.05)],
              rim, (0.25 + 0.02 * step, 0.1, 0.062 * step))  # fmt: skip
        lathe(
            [(0, 0.052), (0.36, 0.052), (0.365, 0.045)],
            cork,
            (0.25 + 0.02 * step, 0.1, 0.062 * step),
        )
    lathe([(0, 0), (0.4, 0), (0.42, 0.01), (0.42, 0.05), (0.4, 0.06), (0.37, 0.06), (0.36, 0.05), (0, 0.05)],
          rim, (-0.55, -0.35, 0))  # fmt: skip
    lathe([(0, 0.052), (0.36, 0.052), (0.365, 0.045)], cork, (-0.55, -0.35, 0))
    lathe([(0, 0.07), (0.21, 0.07), (0.23, 0.09), (0.25, 0.55), (0.24, 0.555), (0.215, 0.1), (0, 0.09)],
          glass(), (0.29, 0.1, 0.12))  # fmt: skip


def butter_dish() -> None:
    block((1.25, 0.82, 0.07), wood(OAK), (0, 0, 0), round_by=0.03)
    block((0.98, 0.56, 0.36), glaze(CHALK), (0, 0, 0.07), round_by=0.06)
    ball(0.08, wood(OAK, grain="z"), (0, 0, 0.49))


def oil_bottle() -> None:
    lathe(
        [(0, 0), (0.27, 0), (0.31, 0.03), (0.32, 0.2), (0.3, 0.62), (0.2, 0.86), (0.09, 1.0), (0.08, 1.2),
         (0.11, 1.25), (0.07, 1.26), (0.05, 1.2), (0, 1.2)],
        glaze(PINE),
    )  # fmt: skip
    rod((0, 0, 1.22), (0, 0, 1.32), unglazed((0.46, 0.29, 0.16)), radius=0.06)
    rod((0, 0, 1.3), (0.12, -0.04, 1.46), brass(), radius=0.03, end_radius=0.014)
    lathe([(0, 0), (0.24, 0), (0.3, 0.05), (0.31, 0.10), (0.295, 0.10), (0.22, 0.03), (0, 0.03)],
          glaze(CHALK), (-0.66, -0.25, 0))  # fmt: skip
    lathe(
        [(0, 0.06), (0.26, 0.06), (0.27, 0.055)],
        material((0.42, 0.33, 0.03), roughness=0.05),
        (-0.66, -0.25, 0),
    )


def carry_tray(colour: Colour) -> None:
    timber = wood(colour)
    block((2.0, 1.2, 0.05), timber, (0, 0, 0), round_by=0.02)
    for y in (-0.58, 0.58):
        block((2.0, 0.05, 0.16), timber, (0, y, 0), round_by=0.02)
    for x in (-0.98, 0.98):
        block((0.05, 1.2, 0.2), timber, (x, 0, 0), round_by=0.02)
        rod((x, -0.28, 0.34), (x, 0.28, 0.34), brass(), radius=0.024)
        for y in (-0.26, 0.26):
            rod((x, y, 0.18), (x, y, 0.34), brass(), radius=0.02)
    lathe([(0, 0.06), (0.2, 0.06), (0.26, 0.1), (0.27, 0.42), (0.255, 0.42), (0.24, 0.12), (0, 0.1)],
          glaze(INDIGO), (0.35, 0.1, 0))  # fmt: skip
    lathe(
        [(0, 0.06), (0.28, 0.06), (0.42, 0.10), (0.41, 0.115), (0.28, 0.08), (0, 0.075)],
        glaze(CHALK),
        (-0.4, -0.1, 0),
    )
    ball(0.13, material((0.55, 0.13, 0.03), roughness=0.5), (-0.42, -0.1, 0.2))


def long_board(colour: Colour) -> None:
    timber = wood(colour)
    block((1.9, 0.72, 0.08), timber, (0, 0, 0), round_by=0.035)
    block((0.5, 0.2, 0.08), timber, (1.16, 0, 0), round_by=0.035)
    ring(0.03, 0.012, brass(), (1.31, 0, 0.08), turn=(0, 0, 0))
    for x, y, size in ((-0.55, 0.05, 0.17), (-0.22, -0.14, 0.15), (-0.30, 0.17, 0.16)):
        ball(
            size,
            material((0.50, 0.40, 0.05), roughness=0.4),
            (x, y, 0.08 + size * 0.9),
            stretch=(1, 0.85, 0.95),
        )
    rod(
        (0.25, -0.2, 0.105),
        (0.85, 0.05, 0.105),
        material((0.6, 0.6, 0.6), roughness=0.2, metallic=1),
        radius=0.03,
        end_radius=0.004,
    )
    rod((0.0, -0.305, 0.11), (0.27, -0.19, 0.11), wood(WALNUT), radius=0.035)


def pantry_jars(colour: Colour) -> None:
    for x, y, scale in ((-0.4, 0.12, 1.0), (0.42, -0.12, 0.7)):
        tall = 0.98 * scale
        wide = 0.40 * (0.55 + 0.45 * scale)
        lathe(
            [(0, 0), (wide * 0.9, 0), (wide, 0.04), (wide * 1.02, tall * 0.5), (wide, tall - 0.03), (wide * 0.94, tall),
             (wide * 0.85, tall), (wide * 0.85, 0.08), (0, 0.06)],
            glaze(colour),
            (x, y, 0),
        )  # fmt: skip
        lathe([(0, tall), (wide * 0.93, tall), (wide * 0.95, tall + 0.02), (wide * 0.95, tall + 0.07), (wide * 0.9, tall + 0.09), (0, tall + 0.09)],
              wood(OAK), (x, y, 0))  # fmt: skip
        ball(0.065, wood(OAK, grain="z"), (x, y, tall + 0.13))


def soap_dish(colour: Colour) -> None:
    lathe(
        [(0, 0.02), (0.4, 0.0), (0.45, 0.02), (0.62, 0.15), (0.64, 0.19), (0.61, 0.195), (0.42, 0.08), (0, 0.06)],
        glaze(colour),
    )  # fmt: skip
    for y in (-0.18, 0, 0.18):
        rod((-0.34, y, 0.085), (0.34, y, 0.085), glaze(colour), radius=0.022)
    ball(
        0.3, material((0.62, 0.60, 0.45), roughness=0.55), (0, 0, 0.24), stretch=(1.25, 0.85, 0.45)
    )


def hook_rail(colour: Colour) -> None:
    block((2.3, 0.08, 0.34), wood(colour), (0, 0.3, 0.5), round_by=0.03)
    metal = brass()
    for x in (-0.88, -0.44, 0, 0.44, 0.88):
        rod((x, 0.28, 0.67), (x, 0.05, 0.70), metal, radius=0.035)
        ball(0.062, metal, (x, 0.04, 0.70))
    block((0.05, 0.05, 0.5), material(CLAY, roughness=0.9), (-0.44, 0.06, 0.16), round_by=0.02)
    ring(0.09, 0.012, material(CLAY, roughness=0.9), (-0.44, 0.06, 0.68), turn=(math.pi / 2, 0, 0))
    ring(0.07, 0.02, metal, (-0.44, 0.06, 0.10), turn=(math.pi / 2, 0, 0))


def mirror() -> None:
    for inner, made in ((0.0, material((0.9, 0.92, 0.92), roughness=0.03, metallic=1.0)),):
        shape = lathe([(inner, 0.05), (0.76, 0.05), (0.765, 0.04)], made)
        shape.rotation_euler, shape.location = (math.pi / 2 - 0.12, 0, 0.0), (0, 0, 0.84)
    rim = lathe(
        [
            (0.75, 0.0),
            (0.83, 0.0),
            (0.85, 0.03),
            (0.84, 0.09),
            (0.79, 0.1),
            (0.755, 0.06),
            (0.75, 0.0),
        ],
        wood(OAK),
    )
    rim.rotation_euler, rim.location = (math.pi / 2 - 0.12, 0, 0), (0, 0, 0.84)


def umbrella_stand(colour: Colour) -> None:
    lathe(
        [(0, 0), (0.34, 0), (0.38, 0.03), (0.40, 0.9), (0.42, 1.3), (0.405, 1.315), (0.38, 1.3), (0.36, 0.1), (0, 0.06)],
        unglazed(colour),
    )  # fmt: skip
    rod(
        (0.1, 0, 0.1),
        (0.22, 0.05, 1.72),
        material(PINE, roughness=0.8),
        radius=0.03,
        end_radius=0.11,
    )
    rod((0.22, 0.05, 1.7), (0.245, 0.06, 1.98), wood(OAK, grain="z"), radius=0.028)
    ring(0.1, 0.028, wood(OAK, grain="z"), (0.35, 0.06, 2.0), stretch=(1, 1, 1))
    rod(
        (-0.12, 0, 0.1),
        (-0.24, 0.1, 1.6),
        material(EMBER, roughness=0.8),
        radius=0.03,
        end_radius=0.1,
    )
    rod((-0.24, 0.1, 1.58), (-0.27, 0.12, 1.92), wood(WALNUT, grain="z"), radius=0.032)
    ball(0.055, brass(), (-0.272, 0.12, 1.93))


def incense_holder() -> None:
    lathe(
        [(0, 0), (0.5, 0), (0.56, 0.03), (0.58, 0.09), (0.555, 0.095), (0.5, 0.05), (0, 0.045)],
        glaze(INK),
    )
    ball(0.1, brass(), (0, 0, 0.1))
    rod(
        (0, 0, 0.12), (0.26, -0.02, 1.18), material((0.25, 0.13, 0.06), roughness=0.9), radius=0.013
    )
    ball(0.017, glow((1.0, 0.35, 0.08), 14), (0.262, -0.02, 1.19))


def paperweight() -> None:
    block(
        (1.2, 0.85, 0.012),
        material(CHALK, roughness=0.95),
        (0.1, 0.05, 0),
        turn=(0, 0, 0.2),
        round_by=0.002,
    )
    block(
        (1.2, 0.85, 0.012),
        material((0.78, 0.74, 0.66), roughness=0.95),
        (0.04, 0, 0.013),
        turn=(0, 0, 0.05),
        round_by=0.002,
    )
    lathe(
        [
            (0, 0.03),
            (0.26, 0.03),
            (0.29, 0.05),
            (0.27, 0.12),
            (0.16, 0.34),
            (0.06, 0.52),
            (0, 0.54),
        ],
        brass(),
    )
    ball(0.055, brass(), (0, 0, 0.56))


def book_rest(colour: Colour) -> None:
    timber = wood(colour)
    lean = -0.5
    block((1.3, 0.06, 0.95), timber, (0, 0.25, 0.07), turn=(lean, 0, 0), round_by=0.025)
    block((1.3, 0.26, 0.06), timber, (0, -0.05, 0.06), turn=(lean, 0, 0), round_by=0.02)
    block((0.08, 0.7, 0.07), timber, (-0.4, 0.4, 0), round_by=0.02)
    block((0.08, 0.7, 0.07), timber, (0.4, 0.4, 0), round_by=0.02)
    for side in (-1, 1):
        block((0.5, 0.05, 0.72), material((0.80, 0.76, 0.68), roughness=0.95), (0.25 * side, 0.14, 0.2),
              turn=(lean, 0, 0), round_by=0.01)  # fmt: skip


def door_stop() -> None:
    lathe(
        [(0, 0), (0.4, 0), (0.44, 0.03), (0.45, 0.32), (0.42, 0.36), (0, 0.37)],
        unglazed((0.55, 0.52, 0.48)),
    )
    ring(0.22, 0.03, material(CLAY, roughness=0.9), (0, 0, 0.5), stretch=(1, 1, 1.1))


def wall_shelf(colour: Colour) -> None:
    block((9, 0.1, 9), material((0.62, 0.60, 0.55), roughness=0.95), (0, 0.62, -2), round_by=0.01)
    block((2.2, 0.62, 0.08), wood(colour), (0, 0.26, 0.5), round_by=0.02)
    for x in (-0.8, 0.8):
        rod((x, 0.55, 0.22), (x, 0.05, 0.5), brass(), radius=0.022)
        rod((x, 0.56, 0.18), (x, 0.56, 0.5), brass(), radius=0.022)
    x = -0.85
    for thick, tall, cloth in (
        (0.13, 0.62, PINE),
        (0.1, 0.56, LINEN),
        (0.16, 0.66, CLAY),
        (0.11, 0.58, INDIGO),
    ):
        block(
            (thick - 0.006, 0.42, tall), material(cloth, roughness=0.85), (x + thick / 2, 0.3, 0.58)
        )
        x += thick
    lathe([(0, 0), (0.15, 0), (0.2, 0.05), (0.23, 0.22), (0.14, 0.4), (0.07, 0.5), (0.09, 0.58), (0.06, 0.58), (0.05, 0.5), (0, 0.1)],
          glaze(CHALK), (0.5, 0.25, 0.58))  # fmt: skip


def watering_can(colour: Colour) -> None:
    skin = material(colour, roughness=0.35, coat=0.2)
    lathe(
        [
            (0, 0),
            (0.4, 0),
            (0.42, 0.02),
            (0.38, 0.6),
            (0.3, 0.68),
            (0.28, 0.68),
            (0.36, 0.58),
            (0.39, 0.04),
            (0, 0.03),
        ],
        skin,
    )
    rod((-0.34, 0, 0.16), (-1.05, 0, 0.84), brass(), radius=0.055, end_radius=0.026)
    ring(0.34, 0.026, brass(), (0.2, 0, 0.66), stretch=(1.0, 1, 1.0))


def bud_vases() -> None:
    stalk = material((0.10, 0.17, 0.05), roughness=0.7)
    for x, y, tall, colour, bloom in (
        (-0.52, 0.1, 0.72, INDIGO, (0.75, 0.55, 0.1)), (0.05, -0.22, 0.52, OAT, (0.6, 0.12, 0.08)), (0.55, 0.14, 0.86, CLAY, (0.75, 0.7, 0.6)),
    ):  # fmt: skip
        lathe(
            [(0, 0), (0.17, 0), (0.21, 0.03), (0.23, tall * 0.35), (0.1, tall * 0.72), (0.075, tall * 0.9), (0.1, tall),
             (0.08, tall), (0.055, tall * 0.9), (0, tall * 0.4)],
            glaze(colour),
            (x, y, 0),
        )  # fmt: skip
        tip = (x + 0.1, y, tall + 0.48)
        rod((x, y, tall * 0.6), tip, stalk, radius=0.012)
        for k in range(6):
            turn = 2 * math.pi * k / 6
            out = Vector((math.cos(turn), math.sin(turn) * 0.9, 0.5))
            ball(
                0.075,
                material(bloom, roughness=0.7),
                tuple(Vector(tip) + out * 0.07),
                stretch=(1, 1, 0.6),
            )
        ball(0.045, material((0.35, 0.2, 0.03), roughness=0.9), (tip[0], tip[1], tip[2] + 0.04))


def bench(colour: Colour) -> None:
    block((2.6, 0.62, 0.1), wood(colour), (0, 0, 0.92), round_by=0.03)
    legs = wood(colour, grain="z")
    for x in (-1.05, 1.05):
        for y in (-0.22, 0.22):
            rod((x * 1.06, y * 1.25, 0), (x, y, 0.94), legs, radius=0.035, end_radius=0.055)
        rod((x * 1.04, -0.25, 0.35), (x * 1.04, 0.25, 0.35), legs, radius=0.025)
    rod((-1.08, 0, 0.35), (1.08, 0, 0.35), legs, radius=0.025)


def step_stool(colour: Colour) -> None:
    timber = wood(colour)
    block((1.1, 0.42, 0.08), timber, (0, -0.28, 0.5), round_by=0.02)
    block((1.1, 0.5, 0.08), timber, (0, 0.2, 1.0), round_by=0.02)
    for x in (-0.5, 0.5):
        block((0.07, 0.88, 0.5), timber, (x, -0.02, 0), round_by=0.02)
        block((0.07, 0.42, 0.5), timber, (x, 0.2, 0.5), round_by=0.02)


LOW: Point = (0.9, -4.8, 2.5)
HIGH: Point = (1.2, -4.6, 3.2)


def picture(build: object, paper: Colour, frame: float, middle: float, **more: object) -> Picture:
    return Picture(build=build, paper=paper, frame=frame, middle=middle, samples=10, **more)  # type: ignore[arg-type]


PICTURES = {
    "low-sun-pendant-chalk": picture(lambda: pendant(CHALK), PAPER_MOSS, 2.4, 0.95, look_from=(0.6, -5.2, 0.9)),
    "brook-jug-chalk": picture(lambda: jug(CHALK), PAPER_MIST, 2.1, 0.6),
    "meadow-plates": picture(lambda: plates((SAGE, OAT, CHALK, SAGE, OAT)), PAPER_SAND, 2.2, 0.2, look_from=LOW),
    "still-pond-mirror": picture(mirror, PAPER_SHELL, 2.5, 0.84, look_from=(0.7, -5.3, 1.0)),
    "last-page-desk-lamp-pine": picture(lambda: desk_lamp(PINE), PAPER_HONEY, 2.4, 0.8),
    "pantry-jars": picture(lambda: pantry_jars(OAT), PAPER_SHELL, 2.1, 0.52),
    "porch-hook-rail-oak": picture(lambda: hook_rail(OAK), PAPER_MIST, 2.7, 0.42),
    "threshold-bench-oak": picture(lambda: bench(OAK), PAPER_STONE, 3.0, 0.5, look_from=(1.4, -5.0, 1.9)),
    "drizzle-watering-can-sage": picture(lambda: watering_can(SAGE), PAPER_SAND, 2.3, 0.45, aside=-0.25),
    "three-bud-vases": picture(bud_vases, PAPER_SHELL, 2.2, 0.65),
    "grove-oil-bottle": picture(oil_bottle, PAPER_HONEY, 2.2, 0.65, aside=-0.2),
    "carry-tray-walnut": picture(lambda: carry_tray(WALNUT), PAPER_STONE, 2.7, 0.15, look_from=HIGH),
    "sunday-egg-cups": picture(egg_cups, PAPER_MIST, 1.9, 0.34),
    "drop-umbrella-stand": picture(lambda: umbrella_stand(CLAY), PAPER_STONE, 2.8, 0.95),
    "ledge-wall-shelf-oak": picture(lambda: wall_shelf(OAK), PAPER_STONE, 2.7, 0.72),
    "ember-tea-lights": picture(tea_lights, PAPER_SHELL, 1.8, 0.18, look_from=LOW),
    "pebble-soap-dish": picture(lambda: soap_dish(CHALK), PAPER_MIST, 1.9, 0.15, look_from=LOW),
    "dairy-butter-dish": picture(butter_dish, PAPER_HONEY, 2.0, 0.22, look_from=LOW),
    "long-board-walnut": picture(lambda: long_board(WALNUT), PAPER_SAND, 2.8, 0.12, aside=0.2, look_from=HIGH),
    "reading-rest": picture(lambda: book_rest(OAK), PAPER_MOSS, 2.2, 0.48),
    "plumb-paperweight": picture(paperweight, PAPER_MIST, 1.8, 0.2, look_from=LOW),
    "house-rule-coasters": picture(coasters, PAPER_MOSS, 2.2, 0.25, look_from=LOW),
    "thread-incense-holder": picture(incense_holder, PAPER_SAND, 2.0, 0.55),
    "second-step-stool": picture(lambda: step_stool(OAK), PAPER_SHELL, 2.3, 0.55, look_from=(2.0, -4.8, 2.2)),
    "stay-door-stop": picture(door_stop, PAPER_STONE, 1.9, 0.36),
    "low-sun-pendant-ember": picture(lambda: pendant(EMBER), PAPER_STONE, 2.4, 0.95, look_from=(0.6, -5.2, 0.9)),
    "brook-jug-indigo": picture(lambda: jug(INDIGO), PAPER_SAND, 2.1, 0.6),
}  # fmt: skip


if __name__ == "__main__":
    main(PICTURES)
