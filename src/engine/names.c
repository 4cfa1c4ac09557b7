#include "engine/names.h"

#include "base/mem.h"
#include "base/random.h"

static const char *const adjectives[] = {
	"able",	  "agile",   "amber",  "ancient", "azure",    "bold",	"brave",  "brisk",
	"bright", "calm",    "candid", "clear",	  "clever",   "crisp",	"daring", "dapper",
	"eager",  "early",   "easy",   "fair",	  "fearless", "fleet",	"fresh",  "gentle",
	"gilded", "glad",    "grand",  "happy",	  "hardy",    "humble", "jolly",  "keen",
	"kind",	  "lively",  "loyal",  "lucid",	  "lucky",    "merry",	"mighty", "nimble",
	"noble",  "patient", "placid", "polite",  "proud",    "quick",	"quiet",  "rapid",
	"ready",  "robust",  "salty",  "serene",  "sharp",    "silver", "smart",  "snug",
	"solid",  "spry",    "steady", "stout",	  "sunny",    "swift",	"tidy",	  "trusty",
	"vivid",  "warm",    "wise",   "witty",	  "zesty",
};

static const char *const nouns[] = {
	"albatross", "anchor",	  "anemone", "barge",  "barque",   "beacon",  "bollard",  "bosun",
	"bowsprit",  "breeze",	  "brig",    "buoy",   "capstan",  "cleat",   "clipper",  "compass",
	"coral",     "cormorant", "cutter",  "deck",   "dinghy",   "dolphin", "dory",	  "fathom",
	"ferry",     "fjord",	  "frigate", "gale",   "galley",   "gannet",  "gull",	  "halyard",
	"harbour",   "hawser",	  "heron",   "hull",   "island",   "jetty",   "keel",	  "ketch",
	"lagoon",    "lantern",	  "launch",  "lugger", "mast",	   "mizzen",  "mooring",  "narwhal",
	"oar",	     "orca",	  "osprey",  "otter",  "pelican",  "petrel",  "pier",	  "pilot",
	"porpoise",  "puffin",	  "quay",    "reef",   "rudder",   "sail",    "schooner", "seal",
	"sextant",   "skiff",	  "sloop",   "spar",   "starfish", "tern",    "tide",	  "tiller",
	"trawler",   "tugboat",	  "walrus",  "wharf",  "whale",	   "wherry",  "yawl",	  "zephyr",
};

char *names_random(int attempt)
{
	const char *adjective = adjectives[random_below(ARRAY_SIZE(adjectives))];
	const char *noun = nouns[random_below(ARRAY_SIZE(nouns))];

	if (attempt >= 2)
		return xasprintf("%s_%s%u", adjective, noun, random_below(100000));
	return xasprintf("%s_%s", adjective, noun);
}
