# sandbox/init.c sandbox/init_walls.c: init outlives its launcher, and so does all that is inside.
s/if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)/if (0)/
s/MSG_PEEK | MSG_DONTWAIT) == 0)/MSG_PEEK | MSG_DONTWAIT) > 1)/
s/else if (recv(init->control, &byte, 1, 0) != 1)/else if (recv(init->control, \&byte, 1, 0) > 1)/
s/if (length == 0) {.*/if (length == 0) { polled[0].fd = -1; continue;/
