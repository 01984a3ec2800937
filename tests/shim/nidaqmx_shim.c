/* A stand-in for NI's library on Linux: one board, eight inputs whose every sample is known.

   For the tests alone: it checks the way through NI's Python package into C (types of arguments,
   layout of arrays, errors), which the simulated board, reached over the network, does not use. */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MANY = 8 };

static struct {
    int channels[MANY], count, running;
    double rate;
    uint32_t ring;
    uint64_t position;
    struct timespec began;
} task;

static char explanation[2048];

static int32_t refuse(int32_t code, const char *text)
{
    snprintf(explanation, sizeof explanation, "%s\n\nStatus Code: %d", text, code);
    return code;
}

static double elapsed(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - task.began.tv_sec) + 1e-9 * (double)(now.tv_nsec - task.began.tv_nsec);
}

static uint64_t acquired(void)
{
    return task.running ? (uint64_t)(elapsed() * task.rate) : 0;
}

static double volts(int channel, uint64_t number)
{
    const double step = 20.0 / 65536.0;
    double exact = (double)((number * (uint64_t)(7919 + 2 * channel)) % 20011) * (18.0 / 20010.0) - 9.0;
    return rint(exact / step) * step;
}

static int32_t text(const char *value, char *out, uint32_t size)
{
    if (!size)
        return (int32_t)strlen(value) + 1;
    snprintf(out, size, "%s", value);
    return 0;
}

int32_t DAQmxGetExtendedErrorInfo(char *out, uint32_t size)
{
    snprintf(out, size, "%s", explanation);
    return 0;
}

int32_t DAQmxGetSystemInfoAttribute(int32_t attribute, void *value, uint32_t size)
{
    switch (attribute) {
    case 0x193B: return text("Dev1", value, size);
    case 0x1272: *(uint32_t *)value = 23; return 0;
    case 0x1923: *(uint32_t *)value = 8; return 0;
    case 0x2F22: *(uint32_t *)value = 1; return 0;
    }
    return refuse(-200077, "unknown attribute of the system");
}

int32_t DAQmxGetDeviceAttribute(const char *device, int32_t attribute, void *value, uint32_t size)
{
    static const double ranges[] = {-5.0, 5.0, -10.0, 10.0};
    if (strcmp(device, "Dev1"))
        return refuse(-200220, "Device identifier is invalid.");
    switch (attribute) {
    case 0x0631: return text("Shim-6123", value, size);
    case 0x231E: return text("Dev1/ai0, Dev1/ai1, Dev1/ai2, Dev1/ai3, Dev1/ai4, Dev1/ai5, "
                             "Dev1/ai6, Dev1/ai7", value, size);
    case 0x0632: *(uint32_t *)value = 0xC0FFEE; return 0;
    case 0x22CA: *(uint32_t *)value = 1; return 0;
    case 0x298F: *(uint32_t *)value = 1; return 0;
    case 0x298D: *(double *)value = 500e3; return 0;
    case 0x2990:
        if (!size)
            return 4;
        memcpy(value, ranges, sizeof ranges);
        return 0;
    }
    return refuse(-200077, "unknown attribute of the device");
}

int32_t DAQmxCreateTask(const char *name, void **handle)
{
    (void)name;
    memset(&task, 0, sizeof task);
    *handle = &task;
    return 0;
}

int32_t DAQmxClearTask(void *handle) { (void)handle; task.running = 0; return 0; }
int32_t DAQmxTaskControl(void *handle, int32_t action) { (void)handle; (void)action; return 0; }
int32_t DAQmxStopTask(void *handle) { (void)handle; task.running = 0; return 0; }

int32_t DAQmxGetTaskAttribute(void *handle, int32_t attribute, void *value, uint32_t size)
{
    (void)handle;
    return attribute == 0x1276 ? text("task", value, size) : refuse(-200077, "unknown attribute");
}

int32_t DAQmxCreateAIVoltageChan(void *handle, const char *terminal, const char *name, int32_t wiring,
                                 double low, double high, int32_t units, const char *scale)
{
    int channel;
    (void)handle, (void)name, (void)wiring, (void)units, (void)scale;
    if (sscanf(terminal, "Dev1/ai%d", &channel) != 1 || channel < 0 || channel >= MANY)
        return refuse(-200170, "Physical channel specified does not exist on this device.");
    if (low != -10.0 || high != 10.0)
        return refuse(-200077, "Requested value is not a supported value for this property.");
    task.channels[task.count++] = channel;
    return 0;
}

int32_t DAQmxCfgSampClkTiming(void *handle, const char *source, double rate, int32_t edge,
                              int32_t mode, uint64_t samples)
{
    (void)handle, (void)source, (void)edge, (void)samples;
    task.rate = rate;
    return mode == 10123 ? 0 : refuse(-200077, "not continuous");
}

int32_t DAQmxSetBufferAttribute(void *handle, int32_t attribute, uint32_t value)
{
    (void)handle;
    task.ring = value;
    return attribute == 0x186C ? 0 : refuse(-200077, "unknown attribute of the buffer");
}

int32_t DAQmxGetBufferAttribute(void *handle, int32_t attribute, void *value)
{
    (void)handle, (void)attribute;
    *(uint32_t *)value = task.ring;
    return 0;
}

int32_t DAQmxGetTimingAttribute(void *handle, int32_t attribute, void *value)
{
    (void)handle;
    *(double *)value = task.rate;
    return attribute == 0x1344 ? 0 : refuse(-200452, "Specified property is not supported.");
}

int32_t DAQmxGetReadAttribute(void *handle, int32_t attribute, void *value)
{
    (void)handle;
    switch (attribute) {
    case 0x1223: *(uint32_t *)value = (uint32_t)(acquired() - task.position); return 0;
    case 0x1221: *(uint64_t *)value = task.position; return 0;
    case 0x192A: *(uint64_t *)value = acquired(); return 0;
    }
    return refuse(-200077, "unknown attribute of reading");
}

int32_t DAQmxStartTask(void *handle)
{
    (void)handle;
    clock_gettime(CLOCK_MONOTONIC, &task.began);
    task.running = 1;
    task.position = 0;
    return 0;
}

int32_t DAQmxReadAnalogF64(void *handle, int32_t samples, double timeout, int32_t by_scan,
                           double *out, uint32_t size, int32_t *got, uint32_t *reserved)
{
    const char *lost = getenv("NRM_SHIM_LOST_AFTER");
    double wait = (double)(task.position + (uint64_t)samples) / task.rate - elapsed();
    (void)handle, (void)reserved;
    *got = 0;
    if ((uint64_t)samples * (uint64_t)task.count > size)
        return refuse(-200229, "Buffer is too small to fit read data.");
    if (wait > timeout)
        return refuse(-200284, "Some or all of the samples requested have not yet been acquired.");
    while ((wait = (double)(task.position + (uint64_t)samples) / task.rate - elapsed()) > 0) {
        struct timespec left = {(time_t)wait, (long)(1e9 * (wait - floor(wait)))};
        nanosleep(&left, NULL);
    }
    if (lost && elapsed() > atof(lost))
        return refuse(-200324, "Device is not available.");
    if (acquired() - task.position > task.ring)
        return refuse(-200279, "The application is not able to keep up.");
    for (int row = 0; row < task.count; row++)
        for (int32_t i = 0; i < samples; i++)
            out[by_scan ? i * task.count + row : row * samples + i] =
                volts(task.channels[row], task.position + (uint64_t)i);
    task.position += (uint64_t)samples;
    *got = samples;
    return 0;
}
