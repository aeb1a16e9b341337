"""The demo's other goods: what stands around the things of `goods`."""

from shop.demo.goods import STONEWARE, Kind, Thing

WOOD = "Solid wood, hard-wax oil. Wipe with a damp cloth; oil it once a year."

HOUSEHOLD = (
    Thing(
        slug="low-sun-pendant",
        name="Low Sun pendant",
        category="light",
        alt="A wide round pendant lamp on a black cord",
        summary="A wide shade that lights the table and leaves the faces in peace.",
        description=(
            "Hang it sixty centimetres above the table and nobody looks into the bulb. The inside is painted "
            "warm white, so that even a cold winter bulb comes down as late afternoon."
        ),
        details="Spun aluminium, enamelled. 40 cm across, 22 cm high. Two metres of cord, E27. Wipe dry.",
        kinds=(
            Kind("LOW-SUN-CHALK", "Chalk", "119.00", 24, 1800),
            Kind("LOW-SUN-EMBER", "Ember", "119.00", 11, 1800),
        ),
    ),
    Thing(
        slug="last-page-desk-lamp",
        name="Last Page desk lamp",
        category="light",
        alt="A brass desk lamp with a folding arm and a small green shade",
        summary="For one more chapter, without waking anybody.",
        description=(
            "Two joints, one hand. The shade is as narrow as an open book is wide, and the switch is where the "
            "thumb is when you turn it towards you."
        ),
        details="Brass, enamelled steel. 45 cm high, reaches 38 cm. LED bulb E14 included. Dust with a soft cloth.",
        kinds=(Kind("LAST-PAGE-PINE", "Pine", "128.00", 16, 1900),),
    ),
    Thing(
        slug="ember-tea-lights",
        name="Ember tea lights",
        category="light",
        alt="Three small stoneware cups with burning tea lights",
        summary="Three cups for tea lights, thin enough at the rim to glow.",
        description="One on each step, or all three in the middle of the table. They do not tip and do not get hot.",
        details="Stoneware, glazed. Each 7 cm across, 5 cm high. For tea lights of 38 mm. Dishwasher safe.",
        kinds=(Kind("EMBER-TEA-LIGHTS", "", "29.00", 52, 480, was="34.00"),),
    ),
    Thing(
        slug="thread-incense-holder",
        name="Thread incense holder",
        category="light",
        alt="A flat dark dish with a brass ball that holds a stick of incense",
        summary="A brass ball with one small hole, in a dish that catches every ash.",
        description="The ball can be moved, so the stick may lean over the middle or stand at the side.",
        details="Stoneware, brass. 14 cm across. Rinse the dish; polish the ball or let it darken.",
        kinds=(Kind("THREAD-INCENSE", "", "26.00", 38, 520),),
    ),
    Thing(
        slug="brook-jug",
        name="Brook jug",
        category="table",
        alt="A round-bellied stoneware jug with a looped handle",
        summary="A litre of water, or the first dahlias: it does not mind.",
        description=(
            "The handle leaves room for a whole hand, also one with a mitten. Filled to the brim it still pours "
            "where you look."
        ),
        details=f"{STONEWARE} 1.1 litres, 22 cm high.",
        kinds=(
            Kind("BROOK-JUG-CHALK", "Chalk", "48.00", 31, 1150),
            Kind("BROOK-JUG-INDIGO", "Indigo", "48.00", 3, 1150),
        ),
    ),
    Thing(
        slug="meadow-plates",
        name="Meadow plates",
        category="table",
        alt="A stack of speckled plates in three quiet glazes",
        summary="Plates with a rim that keeps the sauce where it belongs.",
        description=(
            "Sage, oat and chalk go with one another and with what you have. They stack flat, and the foot is "
            "ground so that it does not scratch the one below."
        ),
        details=f"{STONEWARE} 21 or 27 cm across.",
        kinds=(
            Kind("MEADOW-PLATES-4-21", "Four, 21 cm", "64.00", 44, 2100),
            Kind("MEADOW-PLATES-4-27", "Four, 27 cm", "84.00", 28, 3400),
            Kind("MEADOW-PLATES-6-27", "Six, 27 cm", "119.00", 12, 5100),
        ),
    ),
    Thing(
        slug="sunday-egg-cups",
        name="Sunday egg cups",
        category="table",
        alt="Three egg cups in oat, indigo and sage, each with an egg",
        summary="Three cups for eggs of every size, and for late breakfasts.",
        description="The bowl is a little wider than usual, because hens do not measure.",
        details=f"{STONEWARE} Set of three, 6.5 cm high.",
        kinds=(Kind("SUNDAY-EGG-CUPS", "", "27.00", 61, 380),),
    ),
    Thing(
        slug="house-rule-coasters",
        name="House Rule coasters",
        category="table",
        alt="Round walnut coasters with cork in the middle, one with a glass on it",
        summary="Four coasters that nobody has to be reminded of.",
        description="Cork in the middle for the ring, walnut around it for the eye. They stack to a small tower.",
        details="Walnut, cork. Set of four, 10 cm across. Wipe; do not soak.",
        kinds=(Kind("HOUSE-RULE-COASTERS", "", "32.00", 47, 360),),
    ),
    Thing(
        slug="three-bud-vases",
        name="Three bud vases",
        category="flowers",
        alt="Three small vases, each with a single flower",
        summary="Three small vases for three single flowers.",
        description=(
            "For what the children bring home, and for the last rose in November. Apart they are company for a "
            "candle; together they are a bunch."
        ),
        details=f"{STONEWARE} 11, 14 and 17 cm high.",
        kinds=(Kind("THREE-BUD-VASES", "", "44.00", 36, 900),),
    ),
    Thing(
        slug="drizzle-watering-can",
        name="Drizzle watering can",
        category="flowers",
        alt="A small watering can with a long thin brass spout",
        summary="A long spout that reaches behind the fern.",
        description="It pours a thread, not a gush, and stops when you stop. Pretty enough never to be put away.",
        details="Powder-coated steel, brass. 1.2 litres. Empty it before a frost.",
        kinds=(Kind("DRIZZLE-CAN-SAGE", "Sage", "42.00", 29, 780),),
    ),
    Thing(
        slug="plumb-paperweight",
        name="Plumb paperweight",
        category="desk",
        alt="A brass cone with a ball on top, on a sheet of paper",
        summary="Seven hundred grams of brass, for windows that stay open.",
        description="Turned from one rod, with felt underneath. It is also a very good thing to hold on the telephone.",
        details="Solid brass, wool felt. 7 cm across, 9 cm high, 700 g. Darkens; polish it if you like.",
        kinds=(Kind("PLUMB-PAPERWEIGHT", "", "46.00", 26, 760),),
    ),
    Thing(
        slug="reading-rest",
        name="Reading rest",
        category="desk",
        alt="An oak stand that holds an open book",
        summary="Holds a cookery book open, and a score, and a tablet.",
        description="The ledge is deep enough for eight hundred pages, and the lip lets the thumb turn them.",
        details=f"{WOOD} Oak, 32 × 24 cm. Folds flat.",
        kinds=(Kind("READING-REST", "", "58.00", 21, 1300, was="66.00"),),
    ),
    Thing(
        slug="still-pond-mirror",
        name="Still Pond mirror",
        category="walls",
        alt="A round mirror in a narrow oak frame",
        summary="A round mirror in a rim no wider than a finger.",
        description=(
            "The glass sits a little behind the wood, so that the edge is a shadow and not a line. Hang it "
            "opposite a window, and the room gets a second one."
        ),
        details="Oak, 5 mm crystal mirror. Hangs on one hidden bracket, included. Clean with a dry cloth.",
        kinds=(
            Kind("STILL-POND-40", "40 cm", "89.00", 17, 2900),
            Kind("STILL-POND-60", "60 cm", "139.00", 8, 5200),
            Kind("STILL-POND-80", "80 cm", "198.00", 0, 8400),
        ),
    ),
    Thing(
        slug="ledge-wall-shelf",
        name="Ledge wall shelf",
        category="walls",
        alt="An oak wall shelf on brass brackets with books and a small vase",
        summary="A board and two brackets, and nothing that could sag.",
        description="The brackets carry more than you own in paperbacks. Screws for brick and for plaster are with it.",
        details=f"{WOOD} Brass brackets. 20 cm deep. Carries 25 kg.",
        kinds=(
            Kind("LEDGE-SHELF-60", "60 cm", "68.00", 30, 2600),
            Kind("LEDGE-SHELF-90", "90 cm", "86.00", 14, 3700),
        ),
    ),
    Thing(
        slug="threshold-bench",
        name="Threshold bench",
        category="seating",
        alt="A long narrow oak bench on four slanted legs",
        summary="For two, or for one with a great many boots.",
        description=(
            "Narrow enough for a hall and strong enough for a dance. The rail between the legs is where the "
            "wet shoes go."
        ),
        details=f"{WOOD} 44 cm high, 33 cm deep. Carries 220 kg. Comes in one box, with one key.",
        kinds=(
            Kind("THRESHOLD-BENCH-110", "Oak, 110 cm", "289.00", 7, 11_500),
            Kind("THRESHOLD-BENCH-140", "Oak, 140 cm", "329.00", 4, 14_000),
        ),
    ),
    Thing(
        slug="second-step-stool",
        name="Second Step stool",
        category="seating",
        alt="A small oak step stool with two treads",
        summary="Two steps up to the good glasses.",
        description="A child can carry it and a grown-up can stand on it. The upper step is also a seat.",
        details=f"{WOOD} Oak, 42 × 38 × 46 cm. Carries 150 kg.",
        kinds=(Kind("SECOND-STEP", "", "118.00", 13, 4600),),
    ),
    Thing(
        slug="pantry-jars",
        name="Pantry jars",
        category="kitchen",
        alt="Two speckled stoneware jars with wooden lids, a large and a small one",
        summary="Flour in the large one, sugar in the small one, mice in neither.",
        description="The lid has a ring of silicone that you feel and do not see. It closes with a small sigh.",
        details="Stoneware, oak, silicone. Dishwasher safe without the lid. 0.8 and 2 litres.",
        kinds=(
            Kind("PANTRY-JAR-SMALL", "Small, 0.8 l", "32.00", 58, 750),
            Kind("PANTRY-JAR-LARGE", "Large, 2 l", "44.00", 41, 1500),
            Kind("PANTRY-JARS-PAIR", "The pair", "69.00", 19, 2300, was="76.00"),
        ),
    ),
    Thing(
        slug="grove-oil-bottle",
        name="Grove oil bottle",
        category="kitchen",
        alt="A dark green oil bottle with a brass spout beside a small dish of oil",
        summary="Keeps oil in the dark and the last drop off the bottle.",
        description="Light is what oil minds most, and this glaze lets none through. The spout lifts out for filling.",
        details="Stoneware, cork, brass. 500 ml, 24 cm high. Dishwasher safe without the spout.",
        kinds=(Kind("GROVE-OIL-PINE", "Pine", "38.00", 33, 820),),
    ),
    Thing(
        slug="dairy-butter-dish",
        name="Dairy butter dish",
        category="kitchen",
        alt="A white butter dish with a wooden knob on an oak board",
        summary="For half a pound of butter that is soft when you want it.",
        description="The cover keeps the cool of the larder for a morning. The board beneath is for the bread.",
        details="Stoneware, oak. 17 × 11 × 9 cm. The cover is dishwasher safe; wipe the board.",
        kinds=(Kind("DAIRY-BUTTER-DISH", "", "39.00", 27, 1050),),
    ),
    Thing(
        slug="long-board",
        name="Long board",
        category="kitchen",
        alt="A long walnut board with three lemons and a small knife",
        summary="A board to cut on, carry with and leave on the table.",
        description="Cut along the grain, so that knives stay sharp, and with a handle that a ring hangs on a nail.",
        details=f"{WOOD} Walnut. Not for the dishwasher. 18 cm wide.",
        kinds=(
            Kind("LONG-BOARD-45", "45 cm", "54.00", 23, 1100),
            Kind("LONG-BOARD-60", "60 cm", "72.00", 5, 1500),
        ),
    ),
    Thing(
        slug="carry-tray",
        name="Carry tray",
        category="kitchen",
        alt="A walnut tray with brass handles, a cup and a plate on it",
        summary="Breakfast for two, from the kitchen to the bed, in one go.",
        description="The rim is as high as a saucer and the handles are where the balance is.",
        details=f"{WOOD} Walnut, brass. 50 × 30 × 5 cm.",
        kinds=(Kind("CARRY-TRAY-WALNUT", "Walnut", "88.00", 15, 1700),),
    ),
    Thing(
        slug="pebble-soap-dish",
        name="Pebble soap dish",
        category="bath-hall",
        alt="An oval white dish with a bar of soap",
        summary="Three ribs, so that the soap is dry by noon.",
        description="Water runs to the low end and can be tipped out with one finger.",
        details="Stoneware, glazed. 15 × 11 × 4 cm. Dishwasher safe.",
        kinds=(Kind("PEBBLE-SOAP-CHALK", "Chalk", "22.00", 66, 350),),
    ),
    Thing(
        slug="porch-hook-rail",
        name="Porch hook rail",
        category="bath-hall",
        alt="An oak rail with five brass pegs",
        summary="Brass pegs for coats, bags, and the towel that never dries.",
        description="The pegs are long enough for a loop and a hood, and round enough to be kind to both.",
        details=f"{WOOD} Oak, solid brass. 9 cm high. Carries 6 kg on every peg.",
        kinds=(
            Kind("PORCH-RAIL-3", "Three pegs", "49.00", 25, 900),
            Kind("PORCH-RAIL-5", "Five pegs", "69.00", 18, 1400),
        ),
    ),
    Thing(
        slug="drop-umbrella-stand",
        name="Drop umbrella stand",
        category="bath-hall",
        alt="A tall clay umbrella stand with two umbrellas in it",
        summary="A tall pot that does not move when the door flies open.",
        description="There is a dish inside that lifts out, for the water of a really bad day.",
        details="Coarse stoneware, glazed inside. 52 cm high, 24 cm across. Wipe out, or hose down.",
        kinds=(Kind("DROP-STAND-CLAY", "Clay", "96.00", 9, 6800),),
    ),
    Thing(
        slug="stay-door-stop",
        name="Stay door stop",
        category="bath-hall",
        alt="A round stone door stop with a loop to lift it by",
        summary="Two kilos of stone with a handle, for every door with a will of its own.",
        description="Felt below, so that it stands still on boards and does not mark them.",
        details="Stone composite, leather, wool felt. 13 cm across, 2 kg. Wipe clean.",
        kinds=(Kind("STAY-DOOR-STOP", "", "36.00", 0, 2100),),
    ),
)
