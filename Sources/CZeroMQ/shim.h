#include <zmq.h>

/* The stable header leaves it out, the stable library has it (4.3.1 and later). */
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif
