// What a CUDA build of torch asks the driver about its devices, before it goes through a graph of fake tensors. Torch has
// to find none while it sets up, so that it takes the guard of devices that do nothing, and one from then on.
static signed char count = 0;
void set_device_count(int devices) { count = (signed char)devices; }
signed char _ZN3c104cuda12device_countEv(void) { return count; }  // c10::cuda::device_count()
int cuDevicePrimaryCtxGetState(int device, unsigned int *flags, int *active) { return *flags = 0, *active = 0; }
int cuGetErrorString(int error, const char **text) { return *text = "", 0; }
