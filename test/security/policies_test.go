// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	controllerconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	resourcemanagerconfigv1alpha1 "github.com/gardener/gardener/pkg/apis/config/resourcemanager/v1alpha1"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	kubernetesclient "github.com/gardener/gardener/pkg/client/kubernetes"
	corednsconstants "github.com/gardener/gardener/pkg/component/networking/coredns/constants"
	centralpolicies "github.com/gardener/gardener/pkg/controller/networkpolicy"
	"github.com/gardener/gardener/pkg/controller/networkpolicy/hostnameresolver"
	networkpolicycontroller "github.com/gardener/gardener/pkg/resourcemanager/controller/networkpolicy"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/netpol"
)

// Workloads that are no pods in the landscape, but stand for pods of a real one.
const (
	workloadDNS              = "kube-system/coredns"
	workloadVirtualAPIServer = nsGarden + "/virtual-garden-kube-apiserver"
	workloadGardenGateway    = gardener.NamespaceGardenIstioIngress + "/istio-ingressgateway"
	workloadSeedGateway      = gardener.NamespaceSeedIstioIngress + "/istio-ingressgateway"
	workloadSeedPrometheus   = nsGarden + "/prometheus-seed"

	labelTo = "networking.resources.gardener.cloud/to-"
)

// evaluatedCluster returns the workloads of a cluster with all NetworkPolicies: those that are there, ours among them, and those that
// Gardener's controllers would make of the live objects.
func evaluatedCluster(ctx context.Context, state landscape.ClusterState) *netpol.Cluster {
	isRuntime := state.Name == cluster.NameRuntime
	pods := append(livePods(ctx, state.Name), standIns(isRuntime)...)
	copied := copyOf(ctx, state.Name, isRuntime, pods)
	reconcileCentralPolicies(ctx, copied, state)
	reconcileServicePolicies(ctx, copied, state.Name)

	evaluated := &netpol.Cluster{Namespaces: map[string]map[string]string{}}
	namespaces, policies := &corev1.NamespaceList{}, &networkingv1.NetworkPolicyList{}
	ExpectWithOffset(1, copied.List(ctx, namespaces)).To(Succeed())
	ExpectWithOffset(1, copied.List(ctx, policies)).To(Succeed())
	for _, namespace := range namespaces.Items {
		evaluated.Namespaces[namespace.Name] = namespace.Labels
	}
	evaluated.Policies = policies.Items

	known := map[string]bool{}
	for _, pod := range pods {
		workload := netpol.Pod{Name: workloadOfPod(pod), Namespace: pod.Namespace, Labels: pod.Labels}
		if !known[workload.String()] {
			known[workload.String()] = true
			evaluated.Pods = append(evaluated.Pods, workload)
		}
	}
	return evaluated
}

// livePods returns the pods that are there, labelled as Gardener would, without those that only the landscape has.
func livePods(ctx context.Context, clusterName string) []*corev1.Pod {
	list := &corev1.PodList{}
	ExpectWithOffset(2, ls.Client(clusterName).List(ctx, list)).To(Succeed())
	var pods []*corev1.Pod
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.Labels["prometheus"] == "reference" {
			continue
		}
		// As in pkg/operator/controller/garden/garden/components.go (newGardenPrometheus); the landscape leaves away what it needs not.
		if pod.Labels["prometheus"] == "garden" {
			pod.Labels[labelTo+v1beta1constants.LabelNetworkPolicyExtensionsNamespaceAlias+"-"+v1beta1constants.LabelNetworkPolicyGardenScrapeTargets] = v1beta1constants.LabelNetworkPolicyAllowed
		}
		pods = append(pods, pod)
	}
	return pods
}

// standIns are pods of Gardener that the landscape has no pods for.
func standIns(isRuntime bool) []*corev1.Pod {
	newPod := func(namespace, name string, labels map[string]string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}}
	}
	pods := []*corev1.Pod{
		newPod("kube-system", "coredns", map[string]string{corednsconstants.LabelKey: corednsconstants.LabelValue}),
		newPod(gardener.NamespaceSeedIstioIngress, "istio-ingressgateway", gardener.SeedIstioLabels()),
		// As in pkg/gardenlet/controller/seed/seed/components.go (newSeedPrometheus).
		newPod(nsGarden, "prometheus-seed", map[string]string{
			"prometheus": "seed",
			labelTo + v1beta1constants.LabelNetworkPolicySeedScrapeTargets:                 v1beta1constants.LabelNetworkPolicyAllowed,
			labelTo + "extensions-" + v1beta1constants.LabelNetworkPolicySeedScrapeTargets: v1beta1constants.LabelNetworkPolicyAllowed,
		}),
	}
	if isRuntime {
		pods = append(pods,
			newPod(gardener.NamespaceGardenIstioIngress, "istio-ingressgateway", gardener.GardenIstioLabels()),
			newPod(nsGarden, "virtual-garden-kube-apiserver", apiServerLabels()),
		)
	}
	return pods
}

// apiServerLabels are the labels of the pods of a kube-apiserver (pkg/component/kubernetes/apiserver).
func apiServerLabels() map[string]string {
	return map[string]string{v1beta1constants.LabelApp: v1beta1constants.LabelKubernetes, v1beta1constants.LabelRole: v1beta1constants.LabelAPIServer}
}

// standInServices are the Services of these pods, as far as Gardener derives NetworkPolicies from them that concern us.
func standInServices(isRuntime bool) []client.Object {
	gateway := func(namespace string, labels map[string]string) client.Object {
		// As in pkg/component/networking/istio/charts/istio/istio-ingress/templates/service.yaml.
		return &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1beta1constants.DefaultSNIIngressServiceName, Annotations: map[string]string{
				"networking.resources.gardener.cloud/from-world-to-ports":                `[{"port":8443,"protocol":"TCP"},{"port":9443,"protocol":"TCP"}]`,
				"networking.resources.gardener.cloud/namespace-selectors":                `[{"matchLabels":{"gardener.cloud/role":"extension"}},{"matchLabels":{"gardener.cloud/role":"shoot"}},{"matchLabels":{"kubernetes.io/metadata.name":"garden"}}]`,
				"networking.resources.gardener.cloud/pod-label-selector-namespace-alias": "all-istio-ingresses",
			}},
			Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Name: "tcp", Port: 443, TargetPort: intstr.FromInt32(9443), Protocol: corev1.ProtocolTCP}}},
		}
	}
	services := []client.Object{gateway(gardener.NamespaceSeedIstioIngress, gardener.SeedIstioLabels())}
	if isRuntime {
		services = append(services, gateway(gardener.NamespaceGardenIstioIngress, gardener.GardenIstioLabels()),
			// As in pkg/component/kubernetes/apiserverexposure/service.go.
			&corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Namespace: nsGarden, Name: "virtual-garden-kube-apiserver", Annotations: map[string]string{
					"networking.resources.gardener.cloud/namespace-selectors": fmt.Sprintf(`[{"matchLabels":{%q:"allowed"}}]`, v1beta1constants.LabelNetworkPolicyAccessTargetAPIServer),
				}},
				Spec: corev1.ServiceSpec{Selector: apiServerLabels(), Ports: []corev1.ServicePort{{Port: 443, TargetPort: intstr.FromInt32(443), Protocol: corev1.ProtocolTCP}}},
			})
	}
	return services
}

// copyOf returns a client for a copy of what Gardener's controllers look at, in which they may write.
func copyOf(ctx context.Context, clusterName string, isRuntime bool, pods []*corev1.Pod) client.Client {
	objects := standInServices(isRuntime)
	replaced := map[string]bool{}
	for _, service := range objects {
		replaced[service.GetNamespace()+"/"+service.GetName()] = true
	}
	for _, pod := range pods {
		objects = append(objects, pod)
	}

	c := ls.Client(clusterName)
	namespaces, services, policies := &corev1.NamespaceList{}, &corev1.ServiceList{}, &networkingv1.NetworkPolicyList{}
	gateways, virtualServices := &istionetworkingv1beta1.GatewayList{}, &istionetworkingv1beta1.VirtualServiceList{}
	for _, list := range []client.ObjectList{namespaces, services, policies, gateways, virtualServices} {
		ExpectWithOffset(2, c.List(ctx, list)).To(Succeed())
	}
	for i := range namespaces.Items {
		namespace := &namespaces.Items[i]
		// As gardenlet does in pkg/gardenlet/controller/controllerinstallation/controllerinstallation/reconciler.go, if the seed is the garden.
		if isRuntime && namespace.Name == gardener.NamespaceSeedExtension {
			namespace.Labels[v1beta1constants.LabelNetworkPolicyAccessTargetAPIServer] = v1beta1constants.LabelNetworkPolicyAllowed
		}
		objects = append(objects, namespace)
	}
	for i := range services.Items {
		if !replaced[services.Items[i].Namespace+"/"+services.Items[i].Name] {
			objects = append(objects, &services.Items[i])
		}
	}
	for i := range policies.Items {
		objects = append(objects, &policies.Items[i])
	}
	for _, gateway := range gateways.Items {
		objects = append(objects, gateway)
	}
	for _, virtualService := range virtualServices.Items {
		objects = append(objects, virtualService)
	}
	endpoints := &corev1.Endpoints{}
	ExpectWithOffset(2, c.Get(ctx, client.ObjectKey{Namespace: "default", Name: "kubernetes"}, endpoints)).To(Succeed())
	objects = append(objects, endpoints)

	objects = slices.DeleteFunc(objects, func(object client.Object) bool { return object.GetDeletionTimestamp() != nil })
	for _, object := range objects {
		object.SetResourceVersion("")
	}
	return fakeclient.NewClientBuilder().WithScheme(kubernetesclient.SeedScheme).WithObjects(objects...).Build()
}

// reconcileCentralPolicies does what gardener-operator and gardenlet do: deny all, and what the labels networking.gardener.cloud/to-… allow.
func reconcileCentralPolicies(ctx context.Context, c client.Client, state landscape.ClusterState) {
	reconciler := &centralpolicies.Reconciler{
		RuntimeClient: c,
		Resolver:      hostnameresolver.NewNoOpProvider(),
		RuntimeNetworks: centralpolicies.RuntimeNetworkConfig{
			IPFamilies: []gardencorev1beta1.IPFamily{gardencorev1beta1.IPFamilyIPv4},
			Nodes:      []string{fmt.Sprintf("198.18.%d.0/24", state.Index)},
			Pods:       []string{fmt.Sprintf("198.18.%d.0/24", 100+state.Index)},
			Services:   []string{fmt.Sprintf("198.19.%d.0/24", state.Index)},
		},
	}
	namespaces := &corev1.NamespaceList{}
	ExpectWithOffset(2, c.List(ctx, namespaces)).To(Succeed())
	for _, namespace := range namespaces.Items {
		_, err := reconciler.Reconcile(ctx, reconcile.Request{NamespacedName: types.NamespacedName{Name: namespace.Name}})
		ExpectWithOffset(2, err).NotTo(HaveOccurred(), "NetworkPolicies of namespace %s", namespace.Name)
	}
}

// reconcileServicePolicies does what gardener-resource-manager does: what Services, their annotations and the labels
// networking.resources.gardener.cloud/to-… of pods allow.
func reconcileServicePolicies(ctx context.Context, c client.Client, clusterName string) {
	roles := func(role string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchLabels: map[string]string{v1beta1constants.GardenRole: role}}
	}
	reconciler := &networkpolicycontroller.Reconciler{
		TargetClient: c,
		Recorder:     events.NewFakeRecorder(100),
		// As in pkg/component/gardener/resourcemanager/resource_manager.go.
		Config: resourcemanagerconfigv1alpha1.NetworkPolicyControllerConfig{NamespaceSelectors: []metav1.LabelSelector{
			roles(v1beta1constants.GardenRoleShoot), roles(v1beta1constants.GardenRoleExtension), roles(v1beta1constants.GardenRoleIstioSystem), roles(v1beta1constants.GardenRoleIstioIngress),
			{MatchLabels: map[string]string{corev1.LabelMetadataName: nsGarden}},
		}},
	}

	// The manager is never started. It tells the reconciler which kinds of objects the cluster knows.
	mgr, err := manager.New(adminConfig(clusterName), manager.Options{
		Scheme:     kubernetesclient.SeedScheme,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: controllerconfig.Controller{SkipNameValidation: new(true)},
	})
	ExpectWithOffset(2, err).NotTo(HaveOccurred())
	managerCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	ExpectWithOffset(2, reconciler.AddToManager(managerCtx, mgr, mgr)).To(Succeed())

	services := &corev1.ServiceList{}
	ExpectWithOffset(2, c.List(ctx, services)).To(Succeed())
	for _, service := range services.Items {
		_, err := reconciler.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&service)})
		ExpectWithOffset(2, err).NotTo(HaveOccurred(), "NetworkPolicies of Service %s/%s", service.Namespace, service.Name)
	}
}

// workloadOfPod returns the name of what a pod belongs to.
func workloadOfPod(pod *corev1.Pod) string {
	switch {
	case pod.Labels["prometheus"] != "":
		return "prometheus-" + pod.Labels["prometheus"]
	case strings.HasPrefix(pod.Labels[v1beta1constants.LabelApp], "otel-federation-"):
		return pod.Labels[v1beta1constants.LabelApp]
	case pod.Labels["app.kubernetes.io/name"] != "":
		return pod.Labels["app.kubernetes.io/name"]
	default:
		return pod.Name
	}
}

// workloads returns the pods of a group as members of their workload. Each is looked at: the Services of the operator select single pods.
func workloads(ctx context.Context, group podGroup) []netpol.Pod {
	var found []netpol.Pod
	for _, pod := range group.pods(ctx) {
		found = append(found, netpol.Pod{Name: workloadOfPod(&pod), Namespace: group.namespace, Labels: pod.Labels})
	}
	return found
}

var _ = Describe("Evaluation of NetworkPolicies", func() {
	It("should have the policies by which Gardener isolates the namespaces", func(ctx SpecContext) {
		for _, state := range ls.Seeds() {
			evaluated := evaluatedCluster(ctx, state)
			for _, namespace := range []string{nsGarden, gardener.NamespaceSeedExtension} {
				Expect(evaluated.Policies).To(ContainElement(And(HaveField("Namespace", namespace), HaveField("Name", "deny-all"))))
			}
		}
	})
})
