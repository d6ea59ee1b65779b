// Package allocation is the webhook that decides which hub a device goes to:
// what DPS asks it and what it answers ([custom allocation]), the client that
// asks as DPS does, the server that answers as Microsoft's tutorial does, and
// policies that are data instead of code ([tutorial]).
//
//	Request -> Client ==POST==> Handler -> Policy.Decide
//	Verdict <- Client <==JSON== Decision <-+
//
// It must not know devices, enrollments as they are stored, or who listens
// where: it is given a record to show and a URL to call, and it hands back a
// verdict. What Microsoft leaves undocumented is decided in one place, Settings.
//
// [custom allocation]: https://learn.microsoft.com/azure/iot-dps/concepts-custom-allocation
// [tutorial]: https://learn.microsoft.com/azure/iot-dps/tutorial-custom-allocation-policies
package allocation
