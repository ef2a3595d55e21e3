use strict; use warnings; use Carp qw(confess cluck);
print STDERR "starting\n";
sub inner { cluck "something is odd" }
sub outer { inner(@_) }
outer(1, "two");
my $undefined; my $text = "value: " . $undefined;
print STDERR "still running\n";
sub fatal { confess "cannot go on" }
fatal({ a => 1 });
