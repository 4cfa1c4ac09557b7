/* What --help prints, made from the tables. */
#pragma once

#include <stdio.h>

struct command;
struct command_group;

void help_top(FILE *out);
void help_group(const struct command_group *group, FILE *out);
void help_command(const struct command *command, FILE *out);
