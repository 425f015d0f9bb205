#pragma once

#include "services/edge/session/close_codes.h"  // sessions close connections, too
