/* Sets the calendar clock of a program off by as many seconds as the first number of the file CLOCK_FILE says, and its
   steady clock by the second. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*system_clock)(clockid_t, struct timespec *);
    if (!system_clock)
        system_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = system_clock(clock, now);
    const char *path = getenv("CLOCK_FILE");
    if (result || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) || !path)
        return result;
    FILE *file = fopen(path, "r");
    long calendar = 0, steady = 0;
    if (file) {
        if (fscanf(file, "%ld %ld", &calendar, &steady) == 2)
            now->tv_sec += clock == CLOCK_REALTIME ? calendar : steady;
        fclose(file);
    }
    return result;
}
