/*
 * mounts_steps.h - steps of mounts_build(), in its order.
 */
#ifndef CUPEL_SANDBOX_MOUNTS_STEPS_H
#define CUPEL_SANDBOX_MOUNTS_STEPS_H

struct builder;

/* What every tree has alike (mounts_system.c). */
int mounts_place_made(struct builder *b);
int mounts_place_proc(struct builder *b);
int mounts_place_devices(struct builder *b);
int mounts_place_writable(struct builder *b);

/* The directory that is worked in, direct or under an overlay (mounts_workspace.c). */
int mounts_place_workspace(struct builder *b);

#endif
