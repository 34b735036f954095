// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package dashboard_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/component/dashboard"
)

var _ = Describe("Dashboard", func() {
	var (
		labels    = map[string]string{"foo": "bar"}
		dashboard = Dashboard{
			Name: "my", Title: "My Dashboard", DataSource: "prometheus-foo",
			Panels: []Panel{
				{Title: "A", Description: "About A.", Unit: "s", Queries: []Query{{Expr: `a{b="c"}`, Legend: "{{b}}"}, {Expr: "d", Legend: "d"}}},
				{Title: "B", Description: "About B.", Unit: "short", Queries: []Query{{Expr: "b", Legend: "b"}}},
				{Title: "C", Description: "About C.", Unit: "short", Queries: []Query{{Expr: "c", Legend: "c"}}},
			},
		}
	)

	configMap := func() *corev1.ConfigMap {
		GinkgoHelper()
		obj, err := dashboard.ConfigMap("garden", labels)
		Expect(err).NotTo(HaveOccurred())
		return obj
	}

	It("should put panels side by side, and what they ask into the model of Plutono", func() {
		const panel = `{"id":%s,"type":"graph","title":%s,"description":%s,"datasource":"prometheus-foo","gridPos":%s,"lines":true,"linewidth":1,` +
			`"nullPointMode":"null","renderer":"flot","legend":{"show":true},"tooltip":{"shared":true,"sort":2,"value_type":"individual"},` +
			`"xaxis":{"mode":"time","show":true},"yaxes":[{"format":%[5]s,"show":true},{"format":%[5]s,"show":false}],"targets":%[6]s}`
		obj := configMap()
		Expect(obj.ObjectMeta).To(Equal(metav1.ObjectMeta{Name: "my-dashboard", Namespace: "garden", Labels: labels}))
		Expect(obj.Data).To(HaveLen(1))
		Expect(obj.Data["my-dashboard.json"]).To(MatchJSON(`{"uid":"my","title":"My Dashboard","tags":["otel-federation"],"schemaVersion":27,"editable":false,` +
			`"graphTooltip":1,"refresh":"1m","timezone":"utc","time":{"from":"now-6h","to":"now"},"panels":[` +
			fmt.Sprintf(panel, `1`, `"A"`, `"About A."`, `{"h":8,"w":12,"x":0,"y":0}`, `"s"`,
				`[{"refId":"A","expr":"a{b=\"c\"}","legendFormat":"{{b}}"},{"refId":"B","expr":"d","legendFormat":"d"}]`) + "," +
			fmt.Sprintf(panel, `2`, `"B"`, `"About B."`, `{"h":8,"w":12,"x":12,"y":0}`, `"short"`, `[{"refId":"A","expr":"b","legendFormat":"b"}]`) + "," +
			fmt.Sprintf(panel, `3`, `"C"`, `"About C."`, `{"h":8,"w":12,"x":0,"y":8}`, `"short"`, `[{"refId":"A","expr":"c","legendFormat":"c"}]`) + `]}`))
	})

	It("should read what it has written", func() {
		panels, err := Read(configMap())
		Expect(err).NotTo(HaveOccurred())

		expected := append([]Panel{}, dashboard.Panels...)
		for i := range expected {
			expected[i].DataSource = "prometheus-foo"
		}
		Expect(panels).To(Equal(expected))
	})

	It("should read nothing else", func() {
		panels, err := Read(&corev1.ConfigMap{Data: map[string]string{"other.txt": "{"}})
		Expect(err).NotTo(HaveOccurred())
		Expect(panels).To(BeEmpty())
	})

	It("should say what cannot be read", func() {
		_, err := Read(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "foo"}, Data: map[string]string{"foo-dashboard.json": "{"}})
		Expect(err).To(MatchError(ContainSubstring("foo-dashboard.json in ConfigMap garden/foo is no dashboard: ")))
	})
})
