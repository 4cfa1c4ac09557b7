/* Names for things that their users did not name: adjective_noun, of ships and the sea. */
#pragma once

/* Owned by the caller. From the third attempt on a number makes a name that is hardly taken. */
char *names_random(int attempt);
