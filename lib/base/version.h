/* What --version prints and x-server-info tells. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define BULKHEAD_VERSION "0.1.0"

#endif
