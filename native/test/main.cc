// The native unit tests: parley_core_test [part of a test's name]
#include "tap.h"

int main(int count, char** arguments) { return tap::run(count > 1 ? arguments[1] : ""); }
