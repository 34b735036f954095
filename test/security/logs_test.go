// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

// logFile is the path of a log.
type logFile string

// logs are the logs of all that a request of a seed passes: the gateways, which run in the landscape's daemon, the fan-out and the garden
// Prometheis.
func logs() []logFile {
	var found []logFile
	Expect(filepath.WalkDir(ls.LogDir(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		for _, part := range []string{"daemon.log", constants.GardenCollectorName, "prometheus-garden"} {
			if strings.Contains(path, part) {
				found = append(found, logFile(path))
				break
			}
		}
		return nil
	})).To(Succeed())
	Expect(len(found)).To(BeNumerically(">=", 5), "logs of the daemon, two collectors and two Prometheis")
	return found
}

// fanOutLogs are those of the collectors of the fan-out.
func fanOutLogs() []logFile {
	var found []logFile
	for _, log := range logs() {
		if strings.Contains(string(log), constants.GardenCollectorName) {
			found = append(found, log)
		}
	}
	return found
}

func (l logFile) content() string {
	data, err := os.ReadFile(string(l))
	Expect(err).NotTo(HaveOccurred())
	return string(data)
}

// sizeOf is how many lines and bytes there are in some logs.
func sizeOf(logs []logFile) (lines, bytes int) {
	for _, log := range logs {
		content := log.content()
		lines += strings.Count(content, "\n")
		bytes += len(content)
	}
	return lines, bytes
}
