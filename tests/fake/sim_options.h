/* fakeswarm's command line. */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "sim.h"

/*
 * 0 to go on; 1 when --help or --version was answered; -1 and 'e' for a wrong
 * command line.
 */
int sim_options_parse(int argc, char **argv, struct sim_options *ret,
    struct error *e) _warn_unused_;

#endif
