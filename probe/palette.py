"""The colours of figures, report and pages."""

# The Okabe-Ito palette, distinguishable with any common colour vision (jfly.uni-koeln.de/color).
CATEGORIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":")
SIGNED = "RdBu_r"  # red supports, white is zero, blue opposes
FOR, AGAINST = "#B2182B", "#2166AC"  # the ends of that map, dark enough for bars
INK = "#24292F"  # text and axes; `to_svg` replaces it by the colour of the page's text
DARK_INK = "#E4E7EB"  # the same on a dark page
MUTED = "#808A94"  # readable on white and on black
TRUTH = "#009E73"  # of the border of what is known to decide
OUTLINE = "#3A4048"  # of an image below a map, which is white in any theme
