/* Which volumes a user means by --filter KEY=VALUE: name, label, label!, driver, opt, scope, dangling,
 * anonymous, until, since and after. */
#pragma once

struct engine;
struct err;
struct strlist;
struct volume;

#define VOLUME_FILTER_CHOICES                                                                      \
	.choices = "name=|label=|label!=|driver=|opt=|scope=|dangling=|anonymous=|until=|since=|"  \
		   "after="

/* Whether they can be understood, without a volume to try them on. */
int volume_filters_check(struct engine *engine, const struct strlist *filters, struct err *err);

/* 1 when the volume matches, 0 when not. Every label has to match; of other keys with several values one has to. */
int volume_matches_filters(struct engine *engine, const struct volume *volume,
			   const struct strlist *filters, struct err *err);
