"""Check a place in a draw with nothing but Python and what the shop has published:

python3 check_place.py SEED ENTRANTS SHOPPER [COMMITMENT]

SHOPPER is the id that the page of the draw shows to the shopper; COMMITMENT is what was published before the draw.
"""

import hashlib
import sys

if len(sys.argv) not in (4, 5):
    sys.exit(__doc__)
seed, entrants, shopper = sys.argv[1], int(sys.argv[2]), sys.argv[3].lower()
if len(sys.argv) == 5 and hashlib.sha256(seed.encode()).hexdigest() != sys.argv[4]:
    sys.exit("This is not the seed that the shop committed to.")
number = int(hashlib.sha256(f"{seed}:{shopper}".encode()).hexdigest(), 16)  # 0 to 2**256 - 1
print(1 + number * max(1, entrants) // 2**256)
