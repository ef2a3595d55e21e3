#include <cstdio>
#include <stdexcept>

int main() {
    std::fprintf(stderr, "starting\n");
    throw std::runtime_error("cannot go on");
}
