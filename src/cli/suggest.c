#include "cli/suggest.h"

#include <stdbool.h>
#include <string.h>

#define LONGEST 40

struct suggestion suggestion_for(const char *typed)
{
	size_t size = strlen(typed);

	/* One slip in three letters, at most two: what is farther off is another word. */
	return (struct suggestion){ .typed = typed, .distance = (size >= 5 ? 2 : size >= 2) + 1 };
}

/* Optimal string alignment: insertions, deletions, changes and swaps of neighbours cost one each.
 */
static int edit_distance(const char *a, const char *b)
{
	size_t a_size = strlen(a), b_size = strlen(b);
	int rows[3][LONGEST + 1];

	if (a_size > LONGEST || b_size > LONGEST)
		return LONGEST;
	for (size_t j = 0; j <= b_size; j++)
		rows[0][j] = (int)j;
	for (size_t i = 1; i <= a_size; i++) {
		int *row = rows[i % 3], *last = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];

		row[0] = (int)i;
		for (size_t j = 1; j <= b_size; j++) {
			int cost = a[i - 1] != b[j - 1], best = last[j - 1] + cost;

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[a_size % 3][b_size];
}

void suggestion_offer(struct suggestion *best, const char *name)
{
	int distance = edit_distance(best->typed, name);

	/* Of two at the same distance the one of the same length: letters are changed more
	 * often than forgotten. */
	bool is_tie = best->name && distance == best->distance &&
		      strlen(name) == strlen(best->typed) &&
		      strlen(best->name) != strlen(best->typed);

	if (distance < best->distance || is_tie) {
		best->distance = distance;
		best->name = name;
	}
}
