"""What the demo sells first: the shapes of its rows, its categories, and the goods that are shown in front."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A variant: SKU, name, price, units that arrive, its weight packed, and the price it had."""

    sku: str
    name: str
    price: str
    units: int
    grams: int = 500
    was: str | None = None


@dataclass(frozen=True)
class Thing:
    """A product. Its pictures are the files whose names begin with its slug."""

    slug: str
    name: str
    category: str
    alt: str
    summary: str
    description: str
    details: str
    kinds: tuple[Kind, ...]


CATEGORIES = {
    "light": ("Light", "Lamps and candle holders for the hours when the day is over."),
    "table": ("At the table", "Stoneware and glass that is used every day and washed every night."),
    "flowers": ("Flowers and green", "For one stem from the garden or a windowsill full of herbs."),
    "desk": ("The desk", "A place for every pen, letter and half-read book."),
    "walls": ("Walls", "Quiet things to look up at."),
    "seating": ("Seating", "Stools that are a seat today and a bedside table tomorrow."),
    "kitchen": ("The kitchen", "Jars, boards and bottles that may stay out on the worktop."),
    "bath-hall": ("Bath and hall", "For the first minutes at home, and the first of the morning."),
}

STONEWARE = "Stoneware, glazed inside and out. Dishwasher and microwave safe."

FIRST = (
    Thing(
        slug="first-light-lamp",
        name="First Light lamp",
        category="light",
        alt="A table lamp with a spun shade on a slim brass stem",
        summary="A numbered table lamp with a spun shade and a dimmer that goes down to candlelight.",
        description=(
            "The shade is spun from a single disc and painted by hand, the stem is solid brass. The dimmer "
            "in the foot goes from reading light to the glow of the first quarter of an hour of a summer "
            "morning, which is where the lamp has its name from.\n\n"
            "We make a hundred of each colour and number them on the foot. There is no second hundred."
        ),
        details="Brass, powder-coated steel. 42 cm high, shade 24 cm. Bulb E27 included. Two-metre textile cord.",
        kinds=(Kind("FIRST-LIGHT-EMBER", "Ember", "149.00", 400, 2400),),
    ),
    Thing(
        slug="tide-mug",
        name="Tide mug",
        category="table",
        alt="A straight stoneware mug with a broad handle",
        summary="A straight-sided mug with a handle for three fingers and a glaze that breaks at the rim.",
        description=(
            "Turned, not cast, so no two are quite alike. It holds a large coffee and keeps it warm for "
            "as long as one article in the newspaper takes."
        ),
        details=f"{STONEWARE} 350 ml, 9.5 cm high.",
        kinds=(
            Kind("TIDE-MUG-INDIGO", "Indigo", "24.00", 120, 420),
            Kind("TIDE-MUG-OAT", "Oat", "24.00", 80, 420),
            Kind("TIDE-MUG-EMBER", "Ember", "24.00", 4, 420),
        ),
    ),
    Thing(
        slug="hearth-teapot",
        name="Hearth teapot",
        category="table",
        alt="A round teapot with a short spout and a looped handle",
        summary="A round-bellied teapot that pours without a drop on the cloth.",
        description=(
            "Forty spouts were made until one did not drip. The lid stays on when the pot is emptied to "
            "the last cup, and the sieve is part of the body."
        ),
        details=f"{STONEWARE} 900 ml, about four cups.",
        kinds=(
            Kind("HEARTH-POT-PINE", "Pine", "68.00", 35, 1300),
            Kind("HEARTH-POT-OAT", "Oat", "68.00", 22, 1300),
        ),
    ),
    Thing(
        slug="long-neck-vase",
        name="Long Neck vase",
        category="flowers",
        alt="A tall vase with a narrow neck",
        summary="A tall vase for a single branch, heavy enough to hold it.",
        description="Dry grasses, one tulip, the twig that the storm brought down: it makes something of each.",
        details="Stoneware, matt outside, glazed inside. 31 cm high.",
        kinds=(
            Kind("LONG-NECK-CHALK", "Chalk", "58.00", 30, 1700),
            Kind("LONG-NECK-SAGE", "Sage", "58.00", 26, 1700),
        ),
    ),
    Thing(
        slug="still-carafe",
        name="Still carafe",
        category="table",
        alt="A clear carafe with a ball of oak as its stopper",
        summary="A mouth-blown carafe with an oak ball that closes it.",
        description="For water by the bed or wine at the table. The ball sits loosely: the wine may breathe.",
        details="Borosilicate glass, oiled oak. 1 litre. Wash by hand; wipe the oak.",
        kinds=(Kind("STILL-CARAFE", "", "46.00", 60, 900, was="54.00"),),
    ),
    Thing(
        slug="harbour-bowls",
        name="Harbour bowls",
        category="table",
        alt="Three bowls that nest in one another",
        summary="A nest of three bowls: for olives, for soup, for salad.",
        description="They take up the room of one. The smallest is just right for a poached egg.",
        details=f"{STONEWARE} 12, 16 and 22 cm across.",
        kinds=(Kind("HARBOUR-BOWLS", "", "72.00", 40, 1900),),
    ),
    Thing(
        slug="milking-stool",
        name="Milking stool",
        category="seating",
        alt="A round three-legged stool",
        summary="Three legs never wobble, whatever the floor is like.",
        description=(
            "The legs are wedged through the seat as it has been done for a few hundred years. A seat at "
            "the stove, a step to the top shelf, a table beside the bath."
        ),
        details="Solid wood, hard-wax oil. 44 cm high, seat 32 cm. Carries 130 kg.",
        kinds=(
            Kind("MILKING-STOOL-OAK", "Oak", "135.00", 18, 3200),
            Kind("MILKING-STOOL-WALNUT", "Walnut", "165.00", 9, 3400),
        ),
    ),
    Thing(
        slug="noon-wall-clock",
        name="Noon wall clock",
        category="walls",
        alt="A round wall clock without numerals in an oak rim",
        summary="Twelve marks, two hands, no ticking.",
        description="A sweep movement that is silent in a bedroom, in a rim turned from one piece of oak.",
        details="Oak, lacquered steel. 30 cm across. One AA battery, about two years.",
        kinds=(Kind("NOON-CLOCK", "", "98.00", 25, 900),),
    ),
    Thing(
        slug="evening-candle-holders",
        name="Evening candle holders",
        category="light",
        alt="Brass candle holders of three heights with lit candles",
        summary="Three heights of solid brass, for dinners that go on.",
        description="They get darker with the years. A soft cloth brings the shine back, should you want it.",
        details="Solid brass. 8, 12 and 18 cm high, for candles of 22 mm.",
        kinds=(Kind("EVENING-HOLDERS", "", "64.00", 33, 1100),),
    ),
    Thing(
        slug="quarry-pen-pot",
        name="Quarry pen pot",
        category="desk",
        alt="A heavy clay pot with pens and a ruler in it",
        summary="Holds two dozen pencils and does not tip over.",
        description="Unglazed outside, so that it is never slippery, with a cork foot that is kind to the desk.",
        details="Coarse stoneware, cork. 11 cm high, 8 cm across.",
        kinds=(Kind("QUARRY-POT-CLAY", "Clay", "28.00", 70, 700),),
    ),
    Thing(
        slug="ledger-desk-tray",
        name="Ledger desk tray",
        category="desk",
        alt="A low wooden tray with compartments for pens and letters",
        summary="A low tray for what is on the desk every day.",
        description="Milled from one board, with a long bay for pens and a wide one for letters in A5.",
        details="Solid wood, oiled. 34 × 23 × 3 cm.",
        kinds=(
            Kind("LEDGER-TRAY-WALNUT", "Walnut", "79.00", 20, 1200),
            Kind("LEDGER-TRAY-OAK", "Oak", "69.00", 0, 1200),
        ),
    ),
    Thing(
        slug="two-moons-bookends",
        name="Two Moons bookends",
        category="desk",
        alt="A pair of half-round bookends with books between them",
        summary="Two half moons that keep a row of books upright.",
        description="Cast from recycled stone dust, each as heavy as a dictionary, with felt underneath.",
        details="Stone composite, wool felt. 14 cm high, 2.1 kg the pair.",
        kinds=(Kind("TWO-MOONS", "", "52.00", 45, 2300, was="59.00"),),
    ),
    Thing(
        slug="sill-planter",
        name="Sill planter",
        category="flowers",
        alt="A low planter with a green plant on its saucer",
        summary="A planter with a saucer, as deep as a windowsill allows.",
        description="Basil on the south side, ferns on the north. The saucer is glazed and keeps the sill dry.",
        details="Terracotta, glazed saucer. 15 cm across. With a drainage hole.",
        kinds=(
            Kind("SILL-PLANTER-CLAY", "Clay", "34.00", 50, 1100),
            Kind("SILL-PLANTER-CHALK", "Chalk", "36.00", 5, 1100),
        ),
    ),
)
